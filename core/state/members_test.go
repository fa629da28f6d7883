package state

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzPlain: what the quick look lets through, the slow one does too.
func FuzzPlain(f *testing.F) {
	for _, text := range []string{
		`{"version":1,"windows":[{"id":"w1","mode":"full","messages":{"":"x","de":"y"}}]}`,
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, "{\"\xff\":1,\"\xfe\":2}", `[{"a":[1,"b",{"c":2,"c":"d"}]}]`, `["a","a"]`, `"a"`, `1e309`, `[-1.5e309,1]`, `{"a":{},"b":{"a":{}}}`,
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) || !plain(data) {
			return
		}
		if err := scanTokens(data); err != nil {
			t.Fatalf("%q passes the quick look, but %v", data, err)
		}
	})
}

// What the command line and the engines write takes the quick way.
func TestOurOwnDocumentsArePlain(t *testing.T) {
	data, err := Encode(full())
	if err != nil {
		t.Fatal(err)
	}
	if !plain(data) {
		t.Error("a document as Encode writes it is not plain")
	}
}
