package state_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

// thing is what ReadObject reads in these tests: a member of each kind that an order has.
type thing struct {
	Text   string            `json:"text"`
	Flag   bool              `json:"flag"`
	When   *time.Time        `json:"when"`
	Mode   state.Mode        `json:"mode"`
	Words  map[string]string `json:"words"`
	List   []string          `json:"list"`
	Within *struct {
		Text string `json:"text"`
		Deep struct {
			Flag bool `json:"flag"`
		} `json:"deep"`
	} `json:"within"`
}

// named are the members of the objects in a thing, by their place.
var named = map[string]string{
	"": " text flag when mode words list within ", ".within": " text deep ", ".within.deep": " flag ",
}

var objects = []struct {
	text string
	want string // of the error; "" is none
}{
	{`{}`, ""},
	{` {"text":"a","flag":true,"when":"2026-11-22T02:00:00Z","mode":"full","words":{"Text":"b","text":"c"},"list":["x","x"],"within":{"text":"d","deep":{"flag":true}}} `, ""},
	{`{"text":null,"flag":null,"when":null,"words":null,"list":[null],"within":null}`, ""},
	{`{"within":{"deep":null}}`, ""},
	{"{\"text\":\"\xff\"}", ""}, // as encoding/json has it: U+FFFD
	{``, "it is empty"},
	{` `, "it is empty"},
	{`null`, "no object"},
	{`[]`, "no object"},
	{`"text"`, "no object"},
	{`{`, "ends too early"},
	{`{} {}`, "something follows"},
	{`{"Text":"a"}`, `there is no member "Text"`},
	{`{"text":"a","TEXT":"b"}`, `there is no member "TEXT"`},
	{`{"within":{"TEXT":"a"}}`, `there is no member "within.TEXT"`},
	{`{"within":{"deep":{"Flag":true}}}`, `there is no member "within.deep.Flag"`},
	{`{"b":1,"a":1}`, `there is no member "a"`},
	{`{"":1}`, `there is no member ""`},
	{`{"text":"a","text":"a"}`, `member "text" stands twice`},
	{`{"text":"a","te\u0078t":"a"}`, `member "text" stands twice`},
	{`{"within":{"text":"a","text":"a"}}`, `stands twice`},
	{`{"words":{"a":"1","a":"2"}}`, `stands twice`},
	{`{"text":1}`, `member "text" is a number`},
	{`{"text":{"a":1}}`, `member "text" is a object`},
	{`{"within":[]}`, `member "within" is a array`},
	{`{"within":{"deep":"x"}}`, `is a string`},
	{`{"list":"a"}`, `member "list" is a string`},
	{`{"words":{"a":[]}}`, `is a array`},
	{`{"when":"yesterday"}`, "parsing time"},
	{`{"text":` + strings.Repeat("9", 100000) + `}`, "cannot unmarshal number"},
	{`{"when":"` + strings.Repeat("9", 100000) + `"}`, "parsing time"},
	{`{"` + strings.Repeat("x", 100000) + `":1}`, "there is no member"},
	{strings.Repeat(`{"within":`, 13) + "1" + strings.Repeat("}", 13), "deeper than"},
	{`{"text":"` + strings.Repeat("x", state.MaxSize) + `"}`, "at most"},
}

func TestReadObject(t *testing.T) {
	for _, c := range objects {
		err := state.ReadObject([]byte(c.text), new(thing))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%.100s: %v", c.text, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 4096):
			t.Errorf("%.100s: %.200v, want %q", c.text, err, c.want)
		}
	}
}

// FuzzReadObject: it accepts what encoding/json accepts of an object whose members are named exactly and once, and reads the same.
func FuzzReadObject(f *testing.F) {
	for _, c := range objects {
		if len(c.text) <= 4096 {
			f.Add([]byte(c.text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want thing
		err := state.ReadObject(data, &got)
		if err != nil && len(err.Error()) > 4096 {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		strict := exactly(dec, "", 0)
		if strict == nil {
			if _, end := dec.Token(); !errors.Is(end, io.EOF) {
				strict = errors.New("something follows")
			}
		}
		if strict == nil && bytes.TrimLeft(data, " \t\r\n")[0] != '{' {
			strict = errors.New("it is no object")
		}
		if strict == nil {
			strict = json.Unmarshal(data, &want)
		}
		if (err == nil) != (strict == nil) && len(data) <= state.MaxSize {
			t.Fatalf("%q: %v, the oracle says %v", data, err, strict)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %+v, the oracle has %+v", data, got, want)
		}
	})
}

// exactly reads a value token by token: no object has a member that its place does not name, nor one twice.
func exactly(dec *json.Decoder, at string, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth == state.MaxDepth {
		return errors.New("too deep")
	}
	seen := make(map[string]bool)
	for dec.More() {
		within := at + "[]"
		if open == '{' {
			name, err := dec.Token()
			if err != nil {
				return err
			}
			names, known := named[at]
			if seen[name.(string)] || known && !strings.Contains(names, fmt.Sprintf(" %s ", name)) {
				return fmt.Errorf("the member %q", name)
			}
			seen[name.(string)] = true
			within = at + "." + name.(string)
		}
		if err := exactly(dec, within, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}
