package state

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// ReadObject reads a JSON object into a struct, as strictly as [Decode] reads a document: bounded, member names compared
// exactly, none twice, and none that the struct does not name, in the objects within as well. null is as if the member were
// not there. It is for orders that come from outside.
func ReadObject(data []byte, into any) error {
	if err := scan(data); err != nil {
		return brief(err)
	}
	if bytes.TrimSpace(data)[0] != '{' {
		return errors.New("it is no object")
	}
	if err := onlyNamed(data, reflect.TypeOf(into), ""); err != nil {
		return err
	}
	err := json.Unmarshal(data, into)
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) {
		return fmt.Errorf("member %.80q is a %.20s", wrong.Field, wrong.Value)
	}
	if err != nil {
		return brief(err)
	}
	return nil
}

// onlyNamed finds a member that a type does not name: encoding/json compares names without regard to case. What is of
// another kind than the type is left for it to find.
func onlyNamed(data []byte, t reflect.Type, at string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if p := reflect.PointerTo(t); p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		fields := make(map[string]reflect.Type)
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			fields[name] = t.Field(i).Type
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(data, &members) != nil {
			return nil
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			field, known := fields[name]
			if !known {
				return fmt.Errorf("there is no member %.80q", at+name)
			}
			if err := onlyNamed(members[name], field, at+name+"."); err != nil {
				return err
			}
		}
	case reflect.Slice, reflect.Map:
		if e := t.Elem(); e.Kind() != reflect.String {
			return fmt.Errorf("state: a %s of %s is not read strictly", t.Kind(), e) // no order has one
		}
	}
	return nil
}
