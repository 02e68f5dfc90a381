package replication

import (
	"encoding/json"
)

// policyFields reads each field of a policy's JSON form. A reader is not
// called for null, which counts as absent.
var policyFields = map[string]func(*policyDecoder, json.RawMessage) error{
	"id":                     field(jsonString, func(d *policyDecoder) *string { return &d.ID }),
	"source_backend":         field(jsonString, func(d *policyDecoder) *string { return &d.SourceBackend }),
	"source_settings":        field(jsonStringMap, func(d *policyDecoder) *map[string]string { return &d.SourceSettings }),
	"source_prefix":          field(jsonString, func(d *policyDecoder) *string { return &d.SourcePrefix }),
	"destination_backend":    field(jsonString, func(d *policyDecoder) *string { return &d.DestinationBackend }),
	"destination_settings":   field(jsonStringMap, func(d *policyDecoder) *map[string]string { return &d.DestinationSettings }),
	"destination_prefix":     field(jsonString, func(d *policyDecoder) *string { return &d.DestinationPrefix }),
	"include":                field(jsonStrings, func(d *policyDecoder) *[]string { return &d.Include }),
	"exclude":                field(jsonStrings, func(d *policyDecoder) *[]string { return &d.Exclude }),
	"check_interval":         optional(jsonInterval, func(d *policyDecoder) **int64 { return &d.nanos }),
	"check_interval_seconds": optional(jsonWhole, func(d *policyDecoder) **int64 { return &d.seconds }),
	"last_sync_time":         func(*policyDecoder, json.RawMessage) error { return nil },
	"enabled":                field(jsonBool, func(d *policyDecoder) *bool { return &d.Enabled }),
	"replication_mode":       func(d *policyDecoder, raw json.RawMessage) error { return jsonEnum(raw, &d.Mode) },
	"encryption":             readEncryption,
	"deletes":                func(d *policyDecoder, raw json.RawMessage) error { return jsonEnum(raw, &d.Deletes) },
	"max_delete":             field(jsonString, func(d *policyDecoder) *string { return &d.MaxDelete }),
	"trash_prefix":           field(jsonString, func(d *policyDecoder) *string { return &d.TrashPrefix }),
	"foreign":                func(d *policyDecoder, raw json.RawMessage) error { return jsonEnum(raw, &d.Foreign) },
	"drift":                  func(d *policyDecoder, raw json.RawMessage) error { return jsonEnum(raw, &d.Drift) },
	"object_tags":            field(jsonBool, func(d *policyDecoder) *bool { return &d.ObjectTags }),
	"storage_class":          field(jsonClasses, func(d *policyDecoder) *map[string]string { return &d.StorageClass }),
	"bandwidth":              field(jsonSize, func(d *policyDecoder) *int64 { return &d.Bandwidth }),
	"concurrency":            field(jsonInt, func(d *policyDecoder) *int { return &d.Concurrency }),
}

func field[T any](read func(json.RawMessage) (T, error), into func(*policyDecoder) *T) func(*policyDecoder, json.RawMessage) error {
	return func(d *policyDecoder, raw json.RawMessage) (err error) {
		*into(d), err = read(raw)
		return err
	}
}

func optional(read func(json.RawMessage) (int64, error), into func(*policyDecoder) **int64) func(*policyDecoder, json.RawMessage) error {
	return func(d *policyDecoder, raw json.RawMessage) error {
		n, err := read(raw)
		if err == nil {
			*into(d) = &n
		}
		return err
	}
}

// jsonEnum takes the empty text for an absent field, since clients with typed
// structures send it for the zero value.
func jsonEnum(raw json.RawMessage, into interface{ UnmarshalText([]byte) error }) error {
	text, err := jsonString(raw)
	if err != nil || text == "" {
		return err
	}
	return into.UnmarshalText([]byte(text))
}

// encryptionFields and layerFields are the known names within "encryption".
var (
	encryptionFields = map[string]func(*Encryption) *EncryptionLayer{
		"backend":     func(e *Encryption) *EncryptionLayer { return &e.Backend },
		"source":      func(e *Encryption) *EncryptionLayer { return &e.Source },
		"destination": func(e *Encryption) *EncryptionLayer { return &e.Destination },
	}
	layerFields = map[string]func(*EncryptionLayer, json.RawMessage) error{
		"enabled": func(l *EncryptionLayer, raw json.RawMessage) (err error) {
			l.Enabled, err = jsonBool(raw)
			return err
		},
		"provider": func(l *EncryptionLayer, raw json.RawMessage) (err error) {
			l.Provider, err = jsonString(raw)
			return err
		},
		"default_key": func(l *EncryptionLayer, raw json.RawMessage) (err error) {
			l.DefaultKey, err = jsonString(raw)
			return err
		},
	}
)

// readEncryption reports its faults itself, by the full path of the field.
func readEncryption(d *policyDecoder, raw json.RawMessage) error {
	layers, err := jsonFields(raw, '{')
	if err != nil {
		return err
	}
	for _, layer := range layers {
		into, known := encryptionFields[layer.name]
		if !known && d.strict {
			d.faults.add("encryption", unknownName(layer.name, encryptionFields))
		}
		if !known || layer.null() {
			continue
		}
		path := "encryption." + layer.name
		fields, err := jsonFields(layer.raw, '{')
		d.faults.add(path, err)
		for _, f := range fields {
			read, known := layerFields[f.name]
			switch {
			case !known && d.strict:
				d.faults.add(path, unknownName(f.name, layerFields))
			case known && !f.null():
				d.faults.add(path+"."+f.name, read(into(&d.Encryption), f.raw))
			}
		}
	}
	return nil
}
