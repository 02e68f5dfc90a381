package replication

import (
	"maps"
	"reflect"
	"slices"
)

// normalise returns a deep copy of p in which what is empty is nil, so that
// policies that mean the same compare equal whichever way they were made.
func (p Policy) normalise() Policy {
	p = p.clone()
	for _, settings := range []*map[string]string{&p.SourceSettings, &p.DestinationSettings, &p.StorageClass} {
		if len(*settings) == 0 {
			*settings = nil
		}
	}
	for _, globs := range []*[]string{&p.Include, &p.Exclude} {
		if len(*globs) == 0 {
			*globs = nil
		}
	}
	return p
}

// equal reports whether p and q are the same in every field. It compares by
// reflection so that a field added later is never forgotten.
func (p Policy) equal(q Policy) bool { return reflect.DeepEqual(p.normalise(), q.normalise()) }

// clone returns a copy that shares no map or slice with p.
func (p Policy) clone() Policy {
	p.SourceSettings = maps.Clone(p.SourceSettings)
	p.DestinationSettings = maps.Clone(p.DestinationSettings)
	p.StorageClass = maps.Clone(p.StorageClass)
	p.Include = slices.Clone(p.Include)
	p.Exclude = slices.Clone(p.Exclude)
	return p
}
