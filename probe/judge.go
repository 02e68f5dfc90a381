package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/backendtest"
)

// judge makes the table of what was asked and checked. The error joins what is not
// as declared.
func judge(t *replication.Trial, report backendtest.Report) (lines []Feature, checks []Check, faults error) {
	found := map[string][]Check{}
	for _, r := range report.Results {
		c := checkOf(r)
		found[c.Feature] = append(found[c.Feature], c)
	}
	for _, f := range features {
		line, own := f.line(t, found[f.name])
		lines = append(lines, line)
		found[f.name] = own
	}
	taken := map[string]int{}
	for _, r := range report.Results { // in their order
		name := checkOf(r).Feature
		c := found[name][taken[name]]
		taken[name]++
		checks = append(checks, c)
		if c.Status == "fail" {
			faults = errors.Join(faults, fmt.Errorf("%w: %s: %s", ErrNotAsDeclared, c.Name, c.Error))
		}
	}
	return lines, checks, faults
}

// line judges one feature, and its checks.
func (f feature) line(t *replication.Trial, checks []Check) (Feature, []Check) {
	line := Feature{Name: f.name, Declared: DeclaredNo, Found: NotAsked}
	yes, detail := f.declared(t.Properties)
	line.Detail = detail
	if yes {
		line.Declared = DeclaredYes
	}
	if yes && f.varies && t.Properties.Varies {
		line.Declared = DeclaredVaries
	}
	var passed, failed, refused int
	for i, c := range checks {
		if c.Status == "fail" && t.Properties.Varies && weaker(t, alsoAbout[c.Name]) {
			checks[i].Status = "weaker"
			continue
		}
		switch c.Status {
		case "pass":
			passed++
		case "fail":
			failed++
			line.Failed = append(line.Failed, c.Name)
		}
		if len(c.Notes) > 0 && strings.HasPrefix(c.Notes[0], "refused: ") {
			refused++
		}
	}
	for _, a := range t.Conditions {
		if a.Name == f.name && a.Answer != "" {
			line.Found, line.Meaning = Finding(a.Answer), a.Loss
		}
	}
	excused := line.Declared == DeclaredVaries && weaker(t, f.name)
	switch {
	case failed > 0 && line.Declared == DeclaredVaries && line.Found == NotAsked:
		line.Found, line.Meaning, excused = NotHonoured, f.meaning, true
	case failed > 0 && !excused && line.Found == Honoured && line.Declared == DeclaredVaries:
		line.Found, line.Meaning = Broken, "the server honours the condition when asked, but not in every case"
	case failed > 0 && !excused:
		line.Found, line.Meaning = Broken, f.meaning
	case line.Found == NotAsked && !yes:
		line.Found = Unavailable
	case line.Found == NotAsked && passed > 0:
		line.Found = Honoured
	case line.Found == NotAsked && len(checks) > 0: // all skipped: there is no such capability
		line.Found, line.Declared, line.Detail = Unavailable, DeclaredNo, ""
	}
	if excused {
		for i := range checks {
			if checks[i].Status == "fail" {
				checks[i].Status = "weaker"
			}
		}
	}
	if line.Found == Broken || f.name == "odd names" {
		line.Detail = fmt.Sprintf("%d of %d checks", passed, passed+failed)
		if refused > 0 {
			line.Detail += fmt.Sprintf(", %d refused", refused)
		}
	}
	return line, checks
}

// weaker reports whether a condition was asked about, and not found to be honoured.
func weaker(t *replication.Trial, condition string) bool {
	return slices.ContainsFunc(t.Conditions, func(a replication.ProbedCondition) bool {
		return a.Name == condition && slices.Contains([]Finding{Ignored, Refused, Unknown}, Finding(a.Answer))
	})
}

// permissions name what a driver's operations take, as the vendors do.
var permissions = map[string]map[string]string{
	"s3": {"put": "s3:PutObject", "open": "s3:GetObject", "stat": "s3:GetObject", "delete": "s3:DeleteObject", "list": "s3:ListBucket"},
	"gcs": {"put": "storage.objects.create", "open": "storage.objects.get", "stat": "storage.objects.get",
		"delete": "storage.objects.delete", "list": "storage.objects.list"},
	"azblob": {"put": "blobs/write", "open": "blobs/read", "stat": "blobs/read", "delete": "blobs/delete", "list": "blobs/read"},
	"local":  {"put": "writing", "open": "reading", "stat": "reading", "delete": "writing", "list": "reading"},
}

// withPermission names the permission that credentials lack.
func withPermission(name string, err error) error {
	var at *backend.Error
	if !errors.Is(err, fs.ErrPermission) || !errors.As(err, &at) {
		return err
	}
	driver := at.Backend
	if driver == "minio" {
		driver = "s3"
	}
	lacking := permissions[driver][at.Op]
	if lacking == "" {
		lacking = at.Op
	}
	return fmt.Errorf("backend %q: the store refuses %s, without which there is no probe: %w", name, lacking, err)
}
