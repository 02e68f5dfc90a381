package pairs

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/testutil"
)

// metadataRows are the rows of the table in docs/METADATA.md, and what is to be
// shown where a cell says so.
var metadataRows = map[string]map[string]func(*column){
	"content type":                 {"kept": kept(backend.Metadata{ContentType: "text/plain; charset=utf-8"})},
	"no content type":              {"kept": kept(backend.Metadata{})},
	"content encoding":             {"kept": kept(backend.Metadata{ContentEncoding: "br"})},
	"content language":             {"kept": kept(backend.Metadata{ContentLanguage: "de, en"})},
	"content disposition":          {"kept": kept(backend.Metadata{ContentDisposition: `attachment; filename="a b.txt"`})},
	"cache control":                {"kept": kept(backend.Metadata{CacheControl: "private, max-age=60"})},
	"content header beyond ASCII":  {"kept": kept(umlaut), "refused": refused(umlaut, "content disposition", "Übersicht.txt")},
	"modification time":            {"kept": kept(backend.Metadata{ModTime: time.Unix(1_700_000_000, 123_456_789)})},
	"modification time of 1969":    {"kept": kept(backend.Metadata{ModTime: time.Unix(-1, 250_000_000)})},
	"`mtime` of other programs":    {"seconds": nativeModTime("1700000000.500000000", "1700000000.000000005"), "RFC 3339": nativeModTime("2023-11-14T22:13:20.5Z", "2023-11-14T23:13:20.000000005+01:00")},
	"user metadata":                {"kept": kept(withUser("color", "blue", "a_b", "low", "a-b", "high"))},
	"names in upper case":          {"lower case": lowerCase},
	"two names but for case":       {"refused": twoNames},
	"names with `-` or `.`, `1st`": {"kept": kept(withUser("a-b.c", "1", "1st", "2", "x_2d", "3"))},
	"names that are no HTTP token": {"kept": kept(withUser("größe", "1", "a b", "2")), "refused": refused(withUser("größe", "1"), "größe")},
	"values beyond ASCII":          {"kept": kept(withUser("greeting", "Grüße, 日本 😀 "+strings.Repeat("ä", 100)))},
	"empty values":                 {"kept": kept(withUser("empty", "", "full", "x"))},
	"values with spaces around":    {"kept": kept(withUser("spaces", "  two  inside and around  "))},
	"values with line breaks":      {"kept": kept(withUser("lines", "one\r\ntwo: 2\tthree"))},
	"values that look encoded":     {"kept": kept(withUser("mime", "=?UTF-8?B?w6k=?=", "percent", "%C3%A9", "plus", "a+b"))},
	"more than the limit":          {"kept": kept(withUser("large", strings.Repeat("x", 100_000))), "refused": overLimit},
	"names that begin `objrepl-`":  {"left out": ownNames},
	"POSIX mode (`mode: keep`)":    {"kept": modeKept},
	"`mode` of other programs":     {"applied": nativeMode, "kept": kept(withUser("mode", "33184"))},
	"object tags (`object_tags`)":  {"kept": tagsKept, "policy refused": policyRefused(func(p *replication.Policy) { p.ObjectTags = true }, "object_tags")},
	"eleven object tags":           {"kept": elevenTags(true), "refused": elevenTags(false)},
	"class (`storage_class`)":      {"mapped": classMapped, "policy refused": policyRefused(func(p *replication.Policy) { p.StorageClass = map[string]string{"*": "ANY"} }, "storage_class")},
	"a class it does not have":     {"refused": noSuchClass, "policy refused": policyRefused(func(p *replication.Policy) { p.StorageClass = map[string]string{"*": "NO_SUCH_CLASS"} }, "storage_class", "NO_SUCH_CLASS")},
	"an archived source":           {"refused": archived, "kept": readsArchive},
}

var umlaut = backend.Metadata{ContentDisposition: `attachment; filename="Übersicht.txt"`}

func withUser(pairs ...string) backend.Metadata {
	m := backend.Metadata{User: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		m.User[pairs[i]] = pairs[i+1]
	}
	return m
}

// kept copies an object with this metadata to the store and back, and wants
// back what there was.
func kept(m backend.Metadata) func(*column) {
	return func(c *column) {
		c.put(c.memory("source"), backend.PutOptions{Metadata: m})
		c.sync(c.there())
		c.sync(c.back())
		got := *c.stat(c.memory("back")).Metadata
		// A file has a time also where the source had none.
		require.True(c.t, m.ModTime.IsZero() || m.ModTime.Equal(got.ModTime), "%v is %v", m.ModTime, got.ModTime)
		got.ModTime = m.ModTime
		for name := range got.User {
			if strings.HasPrefix(name, backend.ReservedPrefix) {
				delete(got.User, name)
			}
		}
		if len(got.User) == 0 {
			got.User = m.User
		}
		require.Equal(c.t, m, got)
	}
}

// refused wants an object with this metadata to fail alone.
func refused(m backend.Metadata, words ...string) func(*column) {
	return func(c *column) {
		source := c.memory("source")
		c.put(source, backend.PutOptions{Metadata: m})
		c.beside(source)
		c.fails(c.there(), c.driver, words...)
	}
}

func overLimit(c *column) {
	limit := c.store().Properties().MaxMetadata
	large := strings.Repeat("x", limit-len("large")-len("small")-1)
	refused(withUser("large", large, "small", "12"), "user metadata", "large")(c)
	c.prefix += "under/" // and the very limit is kept, without the marker
	if c.driver == "minio" {
		large = large[2*len("X-Amz-Meta-"):] // MinIO counts it for each name
	}
	kept(withUser("large", large, "small", "1"))(c)
	c.prefix += "room/" // for the marker, more and more of it
	source := c.memory("source")
	for i := range 20 {
		_, err := source.Put(c.t.Context(), fmt.Sprint(c.prefix, i), backend.Bytes(nil), backend.PutOptions{Metadata: withUser("large", large[10*i:], "small", "1")})
		require.NoError(c.t, err)
	}
	c.sync(c.there())
}

func lowerCase(c *column) {
	b := c.store()
	c.put(b, backend.PutOptions{Metadata: withUser("MixedCase", "Value")})
	require.Equal(c.t, map[string]string{"mixedcase": "Value"}, c.stat(b).Metadata.User)
	if c.native != nil {
		c.native.write(c.t, c.prefix+"x", map[string]string{"OtherCase": "Value"})
		c.sync(c.back())
		require.Equal(c.t, "Value", c.stat(c.memory("back")).Metadata.User["othercase"])
	}
}

// twoNames cannot come from any source but one that keeps them apart.
func twoNames(c *column) {
	b, key := c.store(), c.prefix+"x"
	_, err := b.Put(c.t.Context(), key, backend.Bytes(nil), backend.PutOptions{Metadata: withUser("Color", "1", "color", "2")})
	require.ErrorIs(c.t, err, backend.ErrInvalidMetadata)
	require.ErrorContains(c.t, err, `"color"`)
	if c.driver == "gcs" {
		c.native.write(c.t, key, map[string]string{"Color": "1", "color": "2"})
		c.beside(b)
		c.fails(c.back(), c.driver, `"color"`)
	}
}

// nativeModTime wants a time to be kept as other programs read it in the store,
// and one that they wrote to be read.
func nativeModTime(ours, theirs string) func(*column) {
	return func(c *column) {
		c.put(c.memory("source"), backend.PutOptions{Metadata: backend.Metadata{ModTime: time.Unix(1_700_000_000, 500_000_000)}})
		c.sync(c.there())
		require.Equal(c.t, ours, c.native.read(c.t, c.prefix+"x")["mtime"])

		c.native.write(c.t, c.prefix+"x", map[string]string{"mtime": theirs})
		c.sync(c.back())
		require.True(c.t, time.Unix(1_700_000_000, 5).Equal(c.stat(c.memory("back")).Metadata.ModTime))
	}
}

func ownNames(c *column) {
	c.put(c.memory("source"), backend.PutOptions{Metadata: withUser("objrepl-x", "1", "objrepl-marker", "1 other 7 t s o", "a", "b")})
	c.sync(c.there())
	got := c.stat(c.store()).Metadata.User
	require.NotContains(c.t, got, "objrepl-x")
	require.NotContains(c.t, got["objrepl-marker"], "other", "it is the marker of this policy")
	require.Equal(c.t, "b", got["a"])
}

func modeKept(c *column) {
	from, to := c.t.TempDir(), c.t.TempDir()
	keep := func(path string) map[string]string { return map[string]string{"path": path, "mode": "keep"} }
	modes := map[string]os.FileMode{"run.sh": 0o750, "secret": 0o600, "open": 0o666, "read": 0o444}
	require.NoError(c.t, os.Mkdir(filepath.Join(from, c.prefix), 0o755))
	for name, mode := range modes {
		path := filepath.Join(from, c.prefix, name)
		require.NoError(c.t, os.WriteFile(path, []byte(name), 0o600))
		require.NoError(c.t, os.Chmod(path, mode))
	}
	if c.driver == "local" {
		c.sync(c.policy("there", "local", keep(from), "local", keep(to)))
	} else {
		c.sync(c.policy("there", "local", keep(from), c.driver, c.settings))
		c.sync(c.policy("back", c.driver, c.settings, "local", keep(to)))
	}
	for name, mode := range modes {
		info, err := os.Stat(filepath.Join(to, c.prefix, name))
		require.NoError(c.t, err)
		require.Equal(c.t, mode, info.Mode(), name)
	}
}

func nativeMode(c *column) {
	c.settings = map[string]string{"path": c.t.TempDir(), "mode": "keep"}
	for value, mode := range map[string]os.FileMode{"100640": 0o640, "33184": 0o640, "0104755": 0o755} {
		source := c.memory("source")
		c.put(source, backend.PutOptions{Metadata: withUser("mode", value)})
		c.sync(c.there())
		info, err := os.Stat(filepath.Join(c.settings["path"], c.prefix, "x"))
		require.NoError(c.t, err)
		require.Equal(c.t, mode, info.Mode(), "%s, without bits that run with the rights of others", value)
	}
	source := c.memory("source")
	c.put(source, backend.PutOptions{Metadata: withUser("mode", "rw-r--r--")})
	c.beside(source)
	c.fails(c.there(), c.driver, `"mode"`, "rw-r--r--")
}

func tagsKept(c *column) {
	tags := map[string]string{"team": "blue", "a.b/c:d": "x=y + z", "empty": ""}
	c.put(c.memory("source"), backend.PutOptions{ObjectTags: tags})
	there, back := c.there(), c.back()
	c.sync(there)
	store, _ := backend.As[backend.ObjectTagger](c.store())
	got, err := store.ObjectTags(c.t.Context(), c.prefix+"x")
	require.NoError(c.t, err)
	require.Empty(c.t, got, "unless the policy says so")

	c.put(c.memory("source"), backend.PutOptions{ObjectTags: tags})
	there.ObjectTags, back.ObjectTags = true, true
	c.sync(there)
	c.sync(back)
	kept, _ := backend.As[backend.ObjectTagger](c.memory("back"))
	got, err = kept.ObjectTags(c.t.Context(), c.prefix+"x")
	require.NoError(c.t, err)
	require.Equal(c.t, tags, got)
}

func elevenTags(taken bool) func(*column) {
	return func(c *column) {
		tags := map[string]string{}
		for i := range 11 {
			tags[fmt.Sprint("tag", i)] = "v"
		}
		source, there := c.memory("source"), c.there()
		there.ObjectTags = true
		c.put(source, backend.PutOptions{ObjectTags: tags})
		if taken {
			c.sync(there)
			return
		}
		c.beside(source)
		c.fails(there, c.driver, "11 object tags")
		c.prefix += "odd/"
		there = c.there()
		there.ObjectTags = true
		c.put(source, backend.PutOptions{ObjectTags: map[string]string{"a#b": "v"}})
		c.beside(source)
		c.fails(there, c.driver, `"a#b"`)
	}
}

// classes are one beside the usual of each store.
var classes = map[string]string{"s3": "STANDARD", "minio": "REDUCED_REDUNDANCY", "gcs": "NEARLINE", "azblob": "Cool", "memory": "COLD"}

func classMapped(c *column) {
	there, back := c.there(), c.back()
	there.StorageClass = map[string]string{"WARM": classes[c.driver]}
	back.StorageClass = map[string]string{classes[c.driver]: "WARM AGAIN"}
	c.put(c.memory("source"), backend.PutOptions{Class: "WARM"})
	c.sync(there)
	for page, err := range c.store().List(c.t.Context(), backend.ListOptions{Prefix: c.prefix}) {
		require.NoError(c.t, err)
		require.Equal(c.t, classes[c.driver], page[0].Class)
	}
	c.sync(back)
	require.Equal(c.t, "WARM AGAIN", c.stat(c.memory("back")).Class)
}

func noSuchClass(c *column) {
	if c.driver == "s3" { // versitygw takes any without a word
		c.settings, c.native = nativeBucket(c.t, testutil.SharedMinIO(c.t))
	}
	there := c.there()
	there.StorageClass = map[string]string{"ODD": "NO_SUCH_CLASS", "*": "STANDARD"}
	source := c.memory("source")
	c.put(source, backend.PutOptions{Class: "ODD"})
	c.beside(source)
	c.fails(there, c.driver, "storage_class")
}

func policyRefused(change func(*replication.Policy), words ...string) func(*column) {
	return func(c *column) {
		c.put(c.memory("source"), backend.PutOptions{})
		p := c.there()
		change(&p)
		_, err := c.r.Sync(c.t.Context(), p)
		require.ErrorIs(c.t, err, replication.ErrInvalidPolicy)
		for _, word := range append(words, p.ID, c.store().Properties().Location) {
			require.ErrorContains(c.t, err, word)
		}
	}
}

// archived wants an object that the store has archived to fail alone, saying
// what to do. No server at hand has an archive of S3: its answer is put in the
// place of the server's.
func archived(c *column) {
	b := c.store()
	c.put(b, backend.PutOptions{})
	c.beside(b)
	if azure, ok := c.native.(nativeAzure); ok {
		require.NoError(c.t, azure.archive(c.t.Context(), c.prefix+"x"))
		c.fails(c.back(), c.driver, "archive", "rehydrate")
		return
	}
	proxy := testutil.CountingProxy(c.t, c.settings["endpoint"])
	proxy.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/x") {
			next.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "<Error><Code>InvalidObjectState</Code><Message>The operation is not valid for the object's storage class</Message></Error>")
	})
	p := c.back()
	p.SourceSettings = map[string]string{}
	for name, value := range c.settings {
		p.SourceSettings[name] = value
	}
	p.SourceSettings["endpoint"] = proxy.URL
	c.fails(p, c.driver, "archive", "RestoreObject")
}

func readsArchive(c *column) {
	there := c.there()
	there.StorageClass = map[string]string{"*": "ARCHIVE"}
	c.put(c.memory("source"), backend.PutOptions{})
	c.sync(there)
	c.sync(c.back())
}
