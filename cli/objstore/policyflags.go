package main

import (
	"maps"

	"github.com/spf13/pflag"

	"github.com/objrepl/replication"
)

// addRuleFlags adds the flags that say what is replicated and how conflicts
// and deletions are treated: those of a one-shot sync and of a policy.
func addRuleFlags(f *pflag.FlagSet, p *replication.Policy) {
	f.StringArrayVar(&p.Include, "include", nil, "replicate only the keys that match `GLOB`, where ** crosses slashes; repeatable")
	f.StringArrayVar(&p.Exclude, "exclude", nil, "leave out the keys that match `GLOB`; repeatable")
	f.TextVar(&p.Deletes, "deletes", p.Deletes, "what to do about objects that are gone from the source: `propagate|keep`")
	f.StringVar(&p.MaxDelete, "max-delete", "", "the delete brake: delete nothing if it were more than `LIMIT`: 10%, 500, or off for no limit (default 25% and more than 100 objects)")
	f.StringVar(&p.TrashPrefix, "trash-prefix", "", "move what is to be deleted below `PREFIX` in the destination's store instead, such as .trash/")
	f.BoolVar(&p.ObjectTags, "object-tags", false, "copy the object tags of S3 and Azure too, at a request for each object that has some")
	f.Var((*classFlag)(&p.StorageClass), "storage-class", "storage `CLASS` of all copies, or FROM=TO for the objects of one class and *=TO for all others; repeatable")
	f.TextVar(&p.Foreign, "foreign", p.Foreign, "objects in the way at the destination that others wrote: `report|overwrite`")
	f.TextVar(&p.Drift, "drift", p.Drift, "copies at the destination that others changed since: `report|overwrite`")
}

func addForceFlag(f *pflag.FlagSet, force *bool) {
	f.BoolVar(force, "force-deletes", false, "delete past the brake, and with an empty source")
}

// policyFlags are the flags of `replication add` and `update`. Which of them
// were given decides what an update changes.
type policyFlags struct {
	given          replication.Policy
	disabled       bool
	source, target settingsFlag
}

func (pf *policyFlags) add(f *pflag.FlagSet) {
	p := &pf.given
	f.StringVar(&p.ID, "id", "", "`ID` of the policy")
	f.StringVar(&p.SourceBackend, "source-backend", "", "driver or configured `BACKEND` of the source: "+driverNames())
	f.Var(&pf.source, "source-setting", "setting of the source; repeatable; secrets as NAME=env:VAR or NAME=file:PATH")
	f.StringVar(&p.DestinationBackend, "dest-backend", "", "driver or configured `BACKEND` of the destination")
	f.Var(&pf.target, "dest-setting", "setting of the destination; repeatable")
	f.StringVar(&p.SourcePrefix, "prefix", "", "replicate the keys that begin with `PREFIX`")
	f.StringVar(&p.DestinationPrefix, "dest-prefix", "", "`PREFIX` that takes the place of --prefix at the destination; / for none (default: keys stay as they are)")
	f.DurationVar(&p.CheckInterval, "interval", 0, "`TIME` between background passes, such as 30s or 5m (default 5m)")
	f.TextVar(&p.Mode, "mode", p.Mode, "copy through the encryption keys, or the stored bytes as they are: `transparent|opaque`")
	addRuleFlags(f, p)
	f.BoolVar(&pf.disabled, "disabled", false, "leave the policy out of --all and background passes")
}

// apply changes p by the flags that were given.
func (pf *policyFlags) apply(f *pflag.FlagSet, p *replication.Policy, a *app) {
	g := pf.given
	for name, set := range map[string]func(){
		"prefix":        func() { p.SourcePrefix = g.SourcePrefix },
		"dest-prefix":   func() { p.DestinationPrefix = g.DestinationPrefix },
		"interval":      func() { p.CheckInterval = g.CheckInterval },
		"mode":          func() { p.Mode = g.Mode },
		"include":       func() { p.Include = globs(g.Include) },
		"exclude":       func() { p.Exclude = globs(g.Exclude) },
		"deletes":       func() { p.Deletes = g.Deletes },
		"max-delete":    func() { p.MaxDelete = g.MaxDelete },
		"trash-prefix":  func() { p.TrashPrefix = g.TrashPrefix },
		"object-tags":   func() { p.ObjectTags = g.ObjectTags },
		"storage-class": func() { p.StorageClass = g.StorageClass },
		"foreign":       func() { p.Foreign = g.Foreign },
		"drift":         func() { p.Drift = g.Drift },
		"disabled":      func() { p.Enabled = !pf.disabled },
		"bandwidth":     func() { p.Bandwidth = int64(a.bandwidth) },
		"concurrency":   func() { p.Concurrency = a.concurrency },
	} {
		if f.Changed(name) {
			set()
		}
	}
	p.SourceBackend, p.SourceSettings = side(p.SourceBackend, p.SourceSettings, g.SourceBackend, pf.source)
	p.DestinationBackend, p.DestinationSettings = side(p.DestinationBackend, p.DestinationSettings, g.DestinationBackend, pf.target)
	a.warnOfSecrets(p.SourceBackend, pf.source)
	a.warnOfSecrets(p.DestinationBackend, pf.target)
}

// side changes one side of a policy. Another backend takes none of the old
// one's settings along; a setting that is given empty is taken out.
func side(name string, settings map[string]string, newName string, given settingsFlag) (string, map[string]string) {
	merged := map[string]string{}
	if newName == "" || newName == name {
		maps.Copy(merged, settings)
	} else {
		name = newName
	}
	maps.Copy(merged, given)
	maps.DeleteFunc(merged, func(_, value string) bool { return value == "" })
	if len(merged) == 0 {
		merged = nil
	}
	return name, merged
}

// globs takes --include= for no globs at all.
func globs(given []string) []string {
	if len(given) == 1 && given[0] == "" {
		return nil
	}
	return given
}
