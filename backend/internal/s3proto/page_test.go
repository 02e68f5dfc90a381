package s3proto

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestPagesAreRead(t *testing.T) {
	got, err := readPage(t.Context(), strings.NewReader(`<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>b</Name><Prefix/><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys>
  <IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b==</NextContinuationToken>
  <Contents><Key>a+b%2Bc%00%C3%A4</Key><LastModified>2026-11-22T23:29:07.343Z</LastModified>
    <ETag>&#34;9336ebf2&#34;</ETag><Size>12</Size>
    <Owner><ID>someone</ID><Key>not a key</Key></Owner><StorageClass>STANDARD</StorageClass></Contents>
  <Contents><Size>0</Size><ETag>&quot;x-2&quot;</ETag><Key>dir/</Key><LastModified>odd</LastModified></Contents>
  <EncodingType>url</EncodingType>
</ListBucketResult>
`))
	require.NoError(t, err)
	require.Equal(t, page{
		truncated: true, token: "a&b==",
		objects: []backend.Object{
			{Key: "a b+c\x00ä", Size: 12, Tag: "9336ebf2", Checksum: "9336ebf2", Class: "STANDARD", Modified: time.Date(2026, 11, 22, 23, 29, 7, 343e6, time.UTC)},
			{Key: "dir/", Tag: "x-2", Checksum: "x-2"},
		},
	}, got)
}

// Without the element the keys are not encoded, whatever was asked for.
func TestPlainKeysAreNotDecoded(t *testing.T) {
	got, err := parsePage([]byte("<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a+b%20&amp;</Key><Size>1</Size><ETag>x</ETag></Contents><EncodingType></EncodingType></ListBucketResult>"))
	require.NoError(t, err)
	require.Equal(t, "a+b%20&", got.objects[0].Key)
}

func TestOtherDocumentsAreNoPages(t *testing.T) {
	whole := "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>k</Key><Size>1</Size><ETag>x</ETag></Contents></ListBucketResult>"
	_, err := parsePage([]byte(whole))
	require.NoError(t, err)
	for i := range whole {
		_, err := parsePage([]byte(whole[:i]))
		require.Error(t, err, whole[:i])
	}
	for _, wrong := range []string{
		"<html></html>", strings.ReplaceAll(whole, "ListBucketResult", "ListBucketError"), "<Error><Code>x</Code></Error>", "{}", "text",
		whole + whole, whole + "text", "<a/>" + whole, "<!DOCTYPE x>" + whole,
		strings.Replace(whole, "<Key>k</Key>", "", 1),
		strings.Replace(whole, "<Key>k</Key>", "<Key></Key>", 1),
		strings.Replace(whole, "<Size>1</Size>", "<Size>-1</Size>", 1),
		strings.Replace(whole, "<Size>1</Size>", "", 1),
		strings.Replace(whole, "<ETag>x</ETag>", "", 1),
		strings.Replace(whole, "false", "perhaps", 1),
		strings.Replace(whole, "<Key>k", "<Key><![CDATA[k]]>", 1),
		strings.Replace(whole, "<Key>k", "<Key>&unknown;", 1),
		strings.Replace(whole, "</Contents>", "</Content>", 1),
	} {
		_, err := parsePage([]byte(wrong))
		require.Error(t, err, wrong)
	}
}

// What encoding/xml reads differently is an error here, never another listing.
func FuzzPagesAgreeWithEncodingXML(f *testing.F) {
	f.Add([]byte("<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a&amp;b</Key><Size>1</Size><ETag>&#34;x&#34;</ETag></Contents></ListBucketResult>"))
	f.Add([]byte("<ListBucketResult a=\"b\"><Contents><Owner><Key>z</Key></Owner><Key>k</Key><Size>7</Size><ETag>e</ETag></Contents><IsTruncated>true</IsTruncated></ListBucketResult>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parsePage(data)
		if err != nil {
			return
		}
		var want struct {
			XMLName     xml.Name
			IsTruncated []string
			Contents    []struct {
				Key  []string
				Size []string
			}
			EncodingType []string
		}
		if xml.Unmarshal(data, &want) != nil {
			return // more lenient about names and characters that no store sends
		}
		require.Equal(t, "ListBucketResult", want.XMLName.Local)
		require.Len(t, got.objects, len(want.Contents))
		for i, c := range want.Contents {
			key := c.Key[len(c.Key)-1]
			if n := len(want.EncodingType); n > 0 && want.EncodingType[n-1] == "url" {
				key, _ = url.QueryUnescape(key)
			}
			// XML folds line ends, which stores never send unencoded.
			if !strings.ContainsAny(got.objects[i].Key, "\r\n") {
				require.Equal(t, key, got.objects[i].Key)
			}
			require.Equal(t, c.Size[len(c.Size)-1], fmt.Sprint(got.objects[i].Size))
		}
	})
}

func samplePage() []byte {
	var b bytes.Buffer
	b.WriteString("<ListBucketResult><IsTruncated>false</IsTruncated>")
	for i := range 1000 {
		fmt.Fprintf(&b, "<Contents><Key>directory/object-%08d.bin</Key><LastModified>2026-11-22T23:29:07.343Z</LastModified><ETag>&#34;9336ebf25087d91c818ee6e9ec29f8c1&#34;</ETag><Size>4096</Size><StorageClass>STANDARD</StorageClass></Contents>", i)
	}
	b.WriteString("<EncodingType>url</EncodingType></ListBucketResult>")
	return b.Bytes()
}

func BenchmarkPage(b *testing.B) {
	data := samplePage()
	b.ReportAllocs()
	for b.Loop() {
		if p, err := parsePage(data); err != nil || len(p.objects) != 1000 {
			b.Fatal(err)
		}
	}
}

// BenchmarkPageEncodingXML is what there is to compare with.
func BenchmarkPageEncodingXML(b *testing.B) {
	data := samplePage()
	b.ReportAllocs()
	for b.Loop() {
		var p struct {
			IsTruncated bool
			Contents    []struct {
				Key, ETag    string
				Size         int64
				LastModified time.Time
			}
		}
		if err := xml.Unmarshal(data, &p); err != nil || len(p.Contents) != 1000 {
			b.Fatal(err)
		}
	}
}
