// Package usermeta has what the drivers share that keep user metadata: values
// as text that HTTP headers and signatures leave alone, times as the programs
// read them that share a store, and names for what is refused.
package usermeta

import (
	"encoding/base64"
	"mime"
	"strings"
	"unicode/utf8"
)

// wordSize keeps an encoded word within the 75 characters of RFC 2047.
const wordSize = 45

// Empty is the empty value as an encoded word, for stores that take no empty
// header.
const Empty = "=?UTF-8?B??="

// Encode returns a value of valid UTF-8 as it is, or in encoded words of RFC
// 2047 where it is not plain ASCII, has spaces at an end or two in a row, or
// looks encoded. Signatures fold runs of spaces, and servers differ in whether
// they do so before or after they store.
func Encode(value string) string {
	odd := strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
	if !odd && strings.TrimSpace(value) == value && !strings.Contains(value, "  ") && !strings.Contains(value, "=?") {
		return value
	}
	var b strings.Builder
	for rest := value; rest != ""; {
		n := min(len(rest), wordSize)
		for n < len(rest) && !utf8.RuneStart(rest[n]) {
			n--
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("=?UTF-8?B?" + base64.StdEncoding.EncodeToString([]byte(rest[:n])) + "?=")
		rest = rest[n:]
	}
	return b.String()
}

// Decode reads what Encode or another program wrote.
func Decode(value string) string {
	if strings.Contains(value, "=?") {
		var d mime.WordDecoder
		if decoded, err := d.DecodeHeader(value); err == nil {
			value = decoded
		}
	}
	return UTF8(value)
}

// UTF8 reads bytes that are no UTF-8 as ISO 8859-1, the charset that HTTP
// headers once had.
func UTF8(value string) string {
	if utf8.ValidString(value) {
		return value
	}
	runes := make([]rune, len(value))
	for i := range len(value) {
		runes[i] = rune(value[i])
	}
	return string(runes)
}
