package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// ReadObject reads a JSON object into a struct, as strictly as [Decode] reads a document: bounded, member names compared
// exactly, none twice, and none that the struct does not name. It is for orders that come from outside.
func ReadObject(data []byte, into any) error {
	if err := scan(data); err != nil {
		return err
	}
	names := make(map[string]bool)
	t := reflect.TypeOf(into).Elem()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names[name] = true
	}
	known, extra, err := split(data, names)
	if err != nil {
		return err
	}
	for name := range extra {
		return fmt.Errorf("there is no member %.40q", name)
	}
	dec := json.NewDecoder(bytes.NewReader(known))
	dec.DisallowUnknownFields() // within members
	err = dec.Decode(into)
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) {
		return fmt.Errorf("member %.80q is a %s", wrong.Field, wrong.Value)
	}
	return err
}
