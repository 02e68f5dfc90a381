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
	say := func(a answer, can, loss string) {
		how := map[answer]string{
			answerNone: "cannot " + can, answerUnknown: "could not be asked whether it can " + can,
			answerIgnored: "ignores the condition and cannot " + can, answerRefused: "refuses the condition and cannot " + can,
		}[a]
		if how != "" {
			out = append(out, fmt.Sprintf("%s %q %s: its tag is looked at just before, and %s", e.role, e.name, how, loss))
		}
	}
	const overwritten = "a change in between is overwritten"
	say(c.put.Absent, "create conditionally", "what somebody else creates in between is overwritten")
	say(c.put.Match, "replace conditionally", overwritten)
	say(c.delete.Match, "delete conditionally", "a change in between is lost")
	if e.takesParts() {
		say(c.complete.Absent, "create conditionally from parts", "what somebody else creates in between is overwritten")
		say(c.complete.Match, "replace conditionally from parts", overwritten)
	}
	if e.copier != nil && c.from == answerHonoured {
		say(c.copy.Match, "replace conditionally by a copy within the store", overwritten)
		if a := c.copy.Absent; a != "" && a != answerHonoured {
			out = append(out, fmt.Sprintf("%s %q does not create conditionally by a copy within the store: what somebody else creates after the listing is overwritten", e.role, e.name))
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

func (e *endpoint) takesParts() bool {
	_, ok := backend.As[backend.PartUploader](e.Backend)
	return ok
}
