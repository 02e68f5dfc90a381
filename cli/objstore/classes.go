package main

import (
	"errors"
	"strings"
)

// A classFlag collects repeated storage classes: FROM=TO, or one for all. An
// empty one alone takes the mapping away.
type classFlag map[string]string

func (c *classFlag) Set(text string) error {
	if text == "" {
		*c = nil
		return nil
	}
	from, to, named := strings.Cut(text, "=")
	if !named {
		from, to = "*", text
	}
	if from == "" || to == "" {
		return errors.New("want CLASS or FROM=TO")
	}
	if *c == nil {
		*c = classFlag{}
	}
	if _, twice := (*c)[from]; twice {
		return errors.New("the class " + from + " is mapped twice")
	}
	(*c)[from] = to
	return nil
}

func (c *classFlag) Type() string   { return "classes" }
func (c *classFlag) String() string { return "" }
