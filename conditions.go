package replication

import (
	"cmp"
	"context"
	"fmt"

	"github.com/objrepl/replication/backend"
)

// An answer says what a store makes of a kind of condition. Empty is not asked
// yet.
type answer string

const (
	answerHonoured answer = "honoured"
	// answerIgnored: the request goes through whether the condition holds or not.
	answerIgnored answer = "ignored"
	// answerRefused: it does not, also where the condition holds.
	answerRefused answer = "refused"
	// answerNone: the driver cannot send it.
	answerNone answer = "none"
	// answerUnknown: the store could not be asked.
	answerUnknown answer = "unknown"
)

// A guard says how the conditions of one operation fare at a destination.
type guard struct {
	Absent answer `json:"if_absent,omitempty"`
	Match  answer `json:"if_match,omitempty"`
}

// sends returns what of a condition goes with the request. What is not known to
// be honoured goes along unless it could do harm.
func (g guard) sends(c backend.Condition) backend.Condition {
	sent := func(a answer) bool { return a == answerHonoured || a == answerUnknown }
	c.Absent = c.Absent && sent(g.Absent)
	if !sent(g.Match) {
		c.Match = ""
	}
	return c
}

// looks reports whether somebody has to look whether a condition holds, as the
// store is not known to do so. The loss was shown to the user, see weaker.
func (g guard) looks(c backend.Condition) bool {
	return c.Absent && g.Absent != answerHonoured || c.Match != "" && g.Match != answerHonoured
}

// conditions are the guards of all operations of a destination.
type conditions struct {
	put, delete, complete, bulk, copy guard
	from                              answer // a copy keeps to the version that it is to be of
}

// conditionsOf returns what a driver declares. Of a store that varies it is not
// more than what the driver can send.
func conditionsOf(p backend.Properties) conditions {
	yes := answerHonoured
	if p.Varies {
		yes = ""
	}
	of := func(c backend.Conditions) guard {
		g := guard{Absent: answerNone, Match: answerNone}
		if c.IfAbsent {
			g.Absent = yes
		}
		if c.IfMatch {
			g.Match = yes
		}
		return g
	}
	return conditions{put: of(p.Put), delete: of(p.Delete), complete: of(p.Complete), bulk: of(p.BulkDelete), copy: of(p.Copy), from: yes}
}

// with returns c with what was not asked yet filled in from answers.
func (c conditions) with(a answers) conditions {
	fill := func(g, from guard) guard {
		return guard{Absent: cmp.Or(g.Absent, from.Absent), Match: cmp.Or(g.Match, from.Match)}
	}
	return conditions{
		put: fill(c.put, a.Put), delete: fill(c.delete, a.Delete), complete: fill(c.complete, a.Complete),
		bulk: fill(c.bulk, a.Bulk), copy: fill(c.copy, a.Copy), from: cmp.Or(c.from, a.From),
	}
}

// believed returns c with what was not asked yet as a driver can send it. What
// single deletions do not keep to, those in bulk are not asked about.
func (c conditions) believed() conditions {
	match := guard{Match: answerHonoured}
	both := guard{answerHonoured, answerHonoured}
	if c = c.with(answers{Put: both, Complete: both, Delete: match, Copy: both, From: answerHonoured}); c.delete.Match == answerHonoured {
		c = c.with(answers{Bulk: match})
	}
	return c
}

// deletesMany reports whether deletions may go out together, which they may not
// where one alone is more exact, or could be, and whether the store then compares
// their tags.
func (c conditions) deletesMany() (may, compared bool) {
	compared = c.bulk.Match == answerHonoured
	alone := c.delete.sends(backend.Condition{Match: "any"}).Match != ""
	return compared || !alone, compared
}

// look looks, just before a request, whether a condition holds that the store
// itself is not known to hold it against; ErrPrecondition says that it does not.
func (e *endpoint) look(ctx context.Context, key string, g guard, c backend.Condition) error {
	if !g.looks(c) {
		return nil
	}
	there, err := e.Stat(ctx, key)
	switch {
	case absent(err) && c.Match != "", err == nil && c.Absent, err == nil && c.Match != "" && there.Tag != c.Match:
		return backend.ErrPrecondition
	case absent(err):
		return nil
	}
	return err
}

// weaker names the guarantees that this destination cannot give, as far as its
// conditions are known.
func (e *endpoint) weaker(c conditions) []string {
	var out []string
	for _, q := range e.fares(c) {
		if q.loss != "" {
			out = append(out, fmt.Sprintf("%s %q %s", e.role, e.name, q.loss))
		}
	}
	if _, lists := backend.As[backend.UploadLister](e.Backend); e.takesParts() && !lists {
		out = append(out, fmt.Sprintf("%s %q cannot list uploads: one whose beginning was never answered, in a crash, stays there without parts", e.role, e.name))
	}
	if e.props.Put.Local || e.props.Delete.Local {
		out = append(out, fmt.Sprintf("%s %q keeps conditions only among programs that use this library on one machine", e.role, e.name))
	}
	return out
}

// A conditionAnswer is how one condition of one operation fares, and what is
// lost with it; no loss is where it is honoured, or not asked.
type conditionAnswer struct {
	name string
	answer
	loss string
}

// fares takes the conditions of a destination that a pass relies on one by
// one.
func (e *endpoint) fares(c conditions) []conditionAnswer {
	const created = "what somebody else creates in between is overwritten"
	const overwritten = "a change in between is overwritten"
	all := []conditionAnswer{
		{"put if-absent", c.put.Absent, lossOf("create conditionally", c.put.Absent, created)},
		{"put if-match", c.put.Match, lossOf("replace conditionally", c.put.Match, overwritten)},
		{"delete if-match", c.delete.Match, lossOf("delete conditionally", c.delete.Match, "a change in between is lost")},
	}
	if e.takesParts() {
		all = append(all,
			conditionAnswer{"complete if-absent", c.complete.Absent, lossOf("create conditionally from parts", c.complete.Absent, created)},
			conditionAnswer{"complete if-match", c.complete.Match, lossOf("replace conditionally from parts", c.complete.Match, overwritten)},
		)
	}
	if e.copier != nil && c.from == answerHonoured {
		loss := ""
		if a := c.copy.Absent; a != "" && a != answerHonoured {
			loss = "does not create conditionally by a copy within the store: what somebody else creates after the listing is overwritten"
		}
		all = append(all,
			conditionAnswer{"copy if-absent", c.copy.Absent, loss},
			conditionAnswer{"copy if-match", c.copy.Match, lossOf("replace conditionally by a copy within the store", c.copy.Match, overwritten)},
		)
	}
	return all
}

// lossOf is the sentence about a store that does not do what it is asked to, or is
// not known to; empty if it does.
func lossOf(can string, a answer, loss string) string {
	how := map[answer]string{
		answerNone: "cannot " + can, answerUnknown: "could not be asked whether it can " + can,
		answerIgnored: "ignores the condition and cannot " + can, answerRefused: "refuses the condition and cannot " + can,
	}[a]
	if how == "" {
		return ""
	}
	return fmt.Sprintf("%s: its tag is looked at just before, and %s", how, loss)
}

func (e *endpoint) takesParts() bool {
	_, ok := backend.As[backend.PartUploader](e.Backend)
	return ok
}
