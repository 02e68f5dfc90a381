package backend_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestModTimeText(t *testing.T) {
	for text, want := range map[string]time.Time{
		"0":                      time.Unix(0, 0),
		"1":                      time.Unix(1, 0),
		"1700000000.500000000":   time.Unix(1_700_000_000, 500_000_000),
		"1700000000.000000001":   time.Unix(1_700_000_000, 1),
		"1700000000.123456789":   time.Unix(1_700_000_000, 123_456_789),
		"-1":                     time.Unix(-1, 0),
		"-0.500000000":           time.Unix(-1, 500_000_000),
		"-0.000000001":           time.Unix(0, -1),
		"-1.250000000":           time.Unix(-2, 750_000_000),
		"-62135596799":           time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC),
		"253402300799.990000000": time.Date(9999, 12, 31, 23, 59, 59, 990_000_000, time.UTC),
		"1700000000.1234567891":  {}, // read, but never written
	} {
		got, err := backend.ParseModTime(text)
		require.NoError(t, err, text)
		if want.IsZero() {
			assert.True(t, got.Equal(time.Unix(1_700_000_000, 123_456_789)), text)
			continue
		}
		assert.True(t, got.Equal(want), "%s is %v, want %v", text, got, want)
		assert.Equal(t, text, backend.FormatModTime(want))
	}
}

func TestModTimeOfOtherPrograms(t *testing.T) {
	for text, want := range map[string]time.Time{
		"1700000000.000000000": time.Unix(1_700_000_000, 0), // always nine decimals
		"1700000000.100":       time.Unix(1_700_000_000, 100_000_000),
		"0000001":              time.Unix(1, 0),
		"-0":                   time.Unix(0, 0),
		"1700000000.5":         time.Unix(1_700_000_000, 500_000_000),
		// rclone in Google Cloud Storage and Azure
		"2023-11-14T22:13:20.000000001Z": time.Unix(1_700_000_000, 1),
		"2023-11-14T23:13:20+01:00":      time.Unix(1_700_000_000, 0),
	} {
		got, err := backend.ParseModTime(text)
		require.NoError(t, err, text)
		assert.True(t, got.Equal(want), text)
	}
}

func TestModTimeThatIsNone(t *testing.T) {
	for _, text := range []string{
		"", " ", "-", ".", "1.", ".5", "-.5", "+1", "--1", "1.-5", "1.+5", "1. 5", "1_0", "0x1", "1e3", " 1", "1 ", "1,5", "now",
		"1.5.5", "2023-11-14T22:13:20", "2023-11-14", "99999999999999999999", "9223372036854775807", "NaN",
	} {
		_, err := backend.ParseModTime(text)
		assert.ErrorContains(t, err, "mtime", text)
	}
}

func FuzzModTimeRoundTrip(f *testing.F) {
	f.Add(int64(0), int64(0))
	f.Add(int64(-1), int64(999_999_999))
	f.Add(int64(1_700_000_000), int64(120_000_000))
	f.Add(int64(-62135596800), int64(1))
	f.Fuzz(func(t *testing.T, sec, nsec int64) {
		// Beyond is beyond what ParseModTime takes, some 146 billion years.
		want := time.Unix(sec%(math.MaxInt64/4), nsec%1_000_000_000)
		got, err := backend.ParseModTime(backend.FormatModTime(want))
		if err != nil || !got.Equal(want) {
			t.Fatalf("%v (%d, %d) is written %q and read %v, %v", want, sec, nsec, backend.FormatModTime(want), got, err)
		}
	})
}

func FuzzParseModTime(f *testing.F) {
	for _, s := range []string{"", "0", "-0.5", "1.000000001", "1.0000000019", "-1.", "9999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := backend.ParseModTime(text)
		if err != nil {
			return
		}
		again, err := backend.ParseModTime(backend.FormatModTime(got))
		if err != nil || !again.Equal(got) {
			t.Fatalf("%q is read %v, written %q and read %v, %v", text, got, backend.FormatModTime(got), again, err)
		}
	})
}

func TestCloneSharesNothing(t *testing.T) {
	m := backend.Metadata{ContentType: "text/plain", User: map[string]string{"a": "1"}}
	c := m.Clone()
	assert.Equal(t, m, c)
	c.User["a"], c.User["b"] = "2", "3"
	assert.Equal(t, map[string]string{"a": "1"}, m.User)
	assert.Nil(t, backend.Metadata{}.Clone().User)
}

func TestUserSizeCountsNamesValuesAndTime(t *testing.T) {
	assert.Zero(t, backend.Metadata{ContentType: "not counted"}.UserSize())
	assert.Equal(t, 1+2+2+3, backend.Metadata{User: map[string]string{"a": "12", "bb": "日"}}.UserSize())
	assert.Equal(t, len("mtime")+len("1.500000000")+2, backend.Metadata{
		ModTime: time.Unix(1, 500_000_000), User: map[string]string{"a": "b"},
	}.UserSize())
}
