package main

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/objrepl/replication/backend"
)

// A location is what SRC or DST of a sync names: a store and a prefix in it.
type location struct {
	backend  string
	settings map[string]string
	prefix   string // empty, or ends in a slash
	shown    string // for people, without settings
}

// placeSettings name, by driver, the setting that a URL's path or host stands
// for; a query parameter cannot.
var placeSettings = map[string]string{
	"local":  "path",
	"memory": "name",
	"s3":     "bucket",
	"minio":  "bucket",
	"gcs":    "bucket",
	"azblob": "containerName",
}

// schemes name the drivers whose URLs begin otherwise than with their names.
var schemes = map[string]string{
	"gs": "gcs",
}

// driverOf returns the name of the driver that a URL's scheme stands for.
func driverOf(scheme string) string {
	if driver, ok := schemes[scheme]; ok {
		return driver
	}
	return scheme
}

// schemeOf is the reverse of driverOf.
func schemeOf(driver string) string {
	for scheme, name := range schemes {
		if name == driver {
			return scheme
		}
	}
	return driver
}

var hasScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

// parseLocation reads a directory path or a URL. Errors name no setting's
// value, for it may be a secret.
func parseLocation(text string) (location, error) {
	if text == "" {
		return location{}, errors.New("the directory or URL is empty")
	}
	if !hasScheme.MatchString(text) {
		return localLocation(text)
	}
	scheme, _, _ := strings.Cut(text, "://")
	if scheme = strings.ToLower(scheme); scheme == "file" { // as locations of directories are shown
		scheme = "local"
	}
	driver, known := drivers()[driverOf(scheme)]
	if !known {
		return location{}, fmt.Errorf("no store %s://; there are %s", scheme, driverNames())
	}
	u, err := url.Parse(text)
	if err != nil {
		// The parser's own error quotes the URL, which may hold a secret.
		return location{}, fmt.Errorf("malformed %s:// URL; escape special characters as in %%20 and %%25", scheme)
	}
	if u.User != nil {
		return location{}, fmt.Errorf("a %s:// URL takes no user name or password; give credentials as query parameters, such as secretKey=env:NAME", scheme)
	}
	if u.Fragment != "" {
		return location{}, fmt.Errorf("the %s:// URL has a '#'; write %%23", scheme)
	}
	settings, err := queryOf(u, placeSettings[driverOf(scheme)])
	if err != nil {
		return location{}, fmt.Errorf("%s:// URL: %w", scheme, err)
	}
	var l location
	switch scheme {
	case "local":
		l, err = localURL(u)
	case "memory":
		l, err = memoryURL(u)
	default:
		l, err = bucketURL(u, scheme)
	}
	if err != nil {
		return location{}, err
	}
	maps.Copy(l.settings, settings)
	if err := driver.Schema().Validate(l.settings); err != nil {
		return location{}, &usageError{fmt.Errorf("%s: %s", l.shown, oneLine(err.Error())), example(scheme, driver.Schema())}
	}
	return l, nil
}

// example shows a URL with everything that its driver has to be told.
func example(scheme string, schema backend.Schema) string {
	var query []string
	for _, s := range schema {
		switch {
		case !s.Required || s.Name == placeSettings[driverOf(scheme)]:
		case s.Secret:
			query = append(query, s.Name+"=env:NAME")
		case s.Name == "endpoint":
			query = append(query, "endpoint=https://HOST") // the scheme is what is forgotten
		default:
			query = append(query, s.Name+"=VALUE")
		}
	}
	if len(query) == 0 {
		return ""
	}
	place := strings.ToUpper(strings.TrimSuffix(placeSettings[driverOf(scheme)], "Name"))
	return fmt.Sprintf("write %s://%s/PREFIX?%s", scheme, place, strings.Join(query, "&"))
}

// queryOf returns the query parameters as settings.
func queryOf(u *url.URL, place string) (map[string]string, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("malformed query; escape special characters as in %26 and %3B")
	}
	settings := map[string]string{}
	for name, values := range query {
		switch {
		case name == place:
			return nil, fmt.Errorf("%s is not a query parameter: the URL itself names it", name)
		case len(values) > 1:
			return nil, fmt.Errorf("%s is given twice", name)
		}
		settings[name] = values[0]
	}
	return settings, nil
}

func localLocation(path string) (location, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return location{}, err
	}
	return location{backend: "local", settings: map[string]string{"path": absolute}, shown: path}, nil
}

func localURL(u *url.URL) (location, error) {
	if u.Host != "" || u.Path == "" {
		return location{}, errors.New("a local URL is local:///path, with three slashes")
	}
	path := filepath.FromSlash(u.Path)
	// The path of local:///C:/x is /C:/x.
	if trimmed := path[1:]; filepath.VolumeName(trimmed) != "" {
		path = trimmed
	}
	return localLocation(path)
}

func memoryURL(u *url.URL) (location, error) {
	if u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return location{}, errors.New("a memory URL is memory://name")
	}
	return location{
		backend: "memory", settings: map[string]string{"name": u.Host},
		shown: "memory://" + u.Host,
	}, nil
}

// bucketURL reads scheme://bucket/prefix. The prefix means a directory.
func bucketURL(u *url.URL, scheme string) (location, error) {
	if u.Host == "" {
		return location{}, fmt.Errorf("a %s URL is %s://bucket/prefix", scheme, scheme)
	}
	prefix := strings.TrimPrefix(u.Path, "/")
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return location{
		backend: driverOf(scheme), settings: map[string]string{placeSettings[driverOf(scheme)]: u.Host},
		prefix: prefix, shown: scheme + "://" + u.Host + "/" + prefix,
	}, nil
}
