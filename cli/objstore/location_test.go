package main

import (
	"path/filepath"
	"testing"
)

func TestPrefixesOfURLs(t *testing.T) {
	for _, test := range []struct{ text, prefix string }{
		{"memory://x", ""},
		{"s3://bucket?region=r", ""},
		{"s3://bucket/?region=r", ""},
		{"s3://bucket/a?region=r", "a/"},
		{"s3://bucket/a/?region=r", "a/"},
		{"s3://bucket/a%20b/c?region=r", "a b/c/"},
		{"s3://bucket//a?region=r", "/a/"},
		{"azblob://container/a?accountName=account", "a/"},
	} {
		l, err := parseLocation(test.text)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
		} else if l.prefix != test.prefix {
			t.Errorf("%s: prefix %q, want %q", test.text, l.prefix, test.prefix)
		}
	}
}

func TestMapPrefix(t *testing.T) {
	for _, test := range []struct{ from, to, source, destination string }{
		{"", "", "", ""},
		{"", "b/", "", "b/"},
		{"a/", "", "a/", "/"},
		{"a/", "b/", "a/", "b/"},
	} {
		source, destination := mapPrefix(test.from, test.to)
		if source != test.source || destination != test.destination {
			t.Errorf("mapPrefix(%q, %q) = %q, %q, want %q, %q", test.from, test.to, source, destination, test.source, test.destination)
		}
	}
}

func TestPathsBecomeAbsolute(t *testing.T) {
	want, err := filepath.Abs("dir")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"dir", "./dir", "dir/", "x/../dir", "local://" + filepath.ToSlash(want)} {
		l, err := parseLocation(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if l.backend != "local" || l.settings["path"] != want {
			t.Errorf("%s is %s %v, want %s", text, l.backend, l.settings, want)
		}
	}
}
