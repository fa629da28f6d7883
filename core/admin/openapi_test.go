package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/schema"
)

// description is openapi.json.
var description = sync.OnceValue(func() map[string]any {
	var doc map[string]any
	if err := json.Unmarshal(file("openapi.json"), &doc); err != nil {
		panic(err)
	}
	return doc
})

// at follows members, and "$ref" where one is in the way. It is nil if there is none.
func at(v any, path ...string) any {
	for _, name := range path {
		m, _ := resolve(v).(map[string]any)
		v = m[name]
	}
	return resolve(v)
}

func resolve(v any) any {
	m, _ := v.(map[string]any)
	name, ok := m["$ref"].(string)
	if !ok {
		return v
	}
	target := any(description())
	for part := range strings.SplitSeq(strings.TrimPrefix(name, "#/"), "/") {
		target = target.(map[string]any)[part]
	}
	if target == nil {
		panic("openapi.json: " + name + " is nowhere")
	}
	return resolve(target)
}

func TestTheDescriptionHasEveryRouteAndNoOther(t *testing.T) {
	var described, routes []string
	for path, methods := range at(description(), "paths").(map[string]any) {
		for method := range methods.(map[string]any) {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	for path, methods := range new(Panel).table() {
		for method := range methods {
			if strings.HasPrefix(path, "/api/") {
				routes = append(routes, method+" "+path)
			}
		}
	}
	slices.Sort(described)
	slices.Sort(routes)
	if !slices.Equal(described, routes) || len(routes) < 8 {
		t.Errorf("described are %q, routes are %q", described, routes)
	}
}

// TestTheSchemasAreTheTypes compares each schema with the Go type that is read or written.
func TestTheSchemasAreTheTypes(t *testing.T) {
	types := map[string]reflect.Type{
		"OpeningOrder": reflect.TypeFor[openingOrder](), "RepeatOrder": reflect.TypeFor[repeatOrder](), "EndingOrder": reflect.TypeFor[endingOrder](),
		"CancellingOrder": reflect.TypeFor[cancellingOrder](), "Question": reflect.TypeFor[schema.Question](), "Asker": reflect.TypeFor[schema.Asker](),
		"Status": reflect.TypeFor[schema.Status](), "Window": reflect.TypeFor[schema.Window](), "Lease": reflect.TypeFor[schema.Lease](),
		"Repeat": reflect.TypeFor[schema.Repeat](), "Actor": reflect.TypeFor[schema.Actor](), "Entry": reflect.TypeFor[schema.Entry](),
		"Change": reflect.TypeFor[schema.Change](), "Fleet": reflect.TypeFor[fleet](), "Instance": reflect.TypeFor[instance](),
		"Verdict": reflect.TypeFor[schema.Verdict](), "Step": reflect.TypeFor[schema.Step](), "Problem": reflect.TypeFor[problem](),
		"PassOrder": reflect.TypeFor[passOrder](), "RevokingOrder": reflect.TypeFor[revokingOrder](), "Pass": reflect.TypeFor[schema.Pass](),
		"Passes": reflect.TypeFor[schema.Passes](), "Issued": reflect.TypeFor[schema.Issued](), "Revocation": reflect.TypeFor[schema.Revocation](),
	}
	schemas := at(description(), "components", "schemas").(map[string]any)
	if got, want := slices.Sorted(maps.Keys(schemas)), slices.Sorted(maps.Keys(types)); !slices.Equal(got, want) {
		t.Errorf("the schemas are %q, the types %q", got, want)
	}
	for name, typ := range types {
		s := schemas[name].(map[string]any)
		properties := s["properties"].(map[string]any)
		fields := fieldsOf(typ)
		if got, want := slices.Sorted(maps.Keys(properties)), slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %q, the type %q", name, got, want)
			continue
		}
		isOrder := s["additionalProperties"] == false
		if isOrder != strings.Contains(name, "Order") && name != "Question" && name != "Asker" {
			t.Errorf("%s: is it an order or not?", name)
		}
		for member, field := range fields {
			if got, want := kinds(properties[member]), kindsOf(field.typ, isOrder); got != want {
				t.Errorf("%s.%s: the schema says %s, the type is %s", name, member, got, want)
			}
			if p, _ := properties[member].(map[string]any); p["description"] == nil && p["$ref"] == nil {
				t.Errorf("%s.%s has no description", name, member)
			}
			required := slices.Contains(list(s["required"]), any(member))
			if want := !isOrder && !field.omitted; required != want {
				t.Errorf("%s.%s: required is %v, want %v", name, member, required, want)
			}
		}
	}
}

type jsonField struct {
	typ     reflect.Type
	omitted bool
}

func fieldsOf(t reflect.Type) map[string]jsonField {
	fields := make(map[string]jsonField)
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			maps.Copy(fields, fieldsOf(f.Type))
		case f.IsExported() && name != "-":
			fields[name] = jsonField{f.Type, options == "omitempty"}
		}
	}
	return fields
}

// kindsOf is what JSON makes of a type: "string", "null|string".
func kindsOf(t reflect.Type, nullable bool) string {
	if t.Kind() == reflect.Pointer {
		return kindsOf(t.Elem(), true)
	}
	kind := map[reflect.Kind]string{
		reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Int64: "integer", reflect.Float64: "number",
		reflect.Slice: "array", reflect.Map: "object", reflect.Struct: "object",
	}[t.Kind()]
	if t == reflect.TypeFor[time.Time]() || t == reflect.TypeFor[length]() {
		kind = "string"
	}
	if nullable {
		kinds := []string{"null", kind}
		slices.Sort(kinds)
		return strings.Join(kinds, "|")
	}
	return kind
}

// kinds is what a schema allows, in the same words. A "current" that is omitted is never null.
func kinds(v any) string {
	s, _ := resolve(v).(map[string]any)
	var all []string
	switch typ := s["type"].(type) {
	case string:
		all = append(all, typ)
	case []any:
		for _, one := range typ {
			all = append(all, one.(string))
		}
	}
	for _, one := range list(s["oneOf"]) {
		all = append(all, kinds(one))
	}
	if p, _ := v.(map[string]any); p["$ref"] == "#/components/schemas/Status" && p["description"] != nil {
		all = append(all, "null") // Problem.current
	}
	slices.Sort(all)
	return strings.Join(all, "|")
}

func list(v any) []any { l, _ := v.([]any); return l }

func TestTheExamplesAreWhatTheirSchemasSay(t *testing.T) {
	examples := 0
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if s := v["schema"]; s != nil {
				if example, ok := v["example"]; ok {
					examples++
					for _, fault := range check(s, example, at) {
						t.Error(fault)
					}
				}
				more, _ := v["examples"].(map[string]any)
				for name, example := range more {
					examples++
					for _, fault := range check(s, example.(map[string]any)["value"], at+"/"+name) {
						t.Error(fault)
					}
				}
			}
			for name, member := range v {
				walk(at+"/"+name, member)
			}
		case []any:
			for i, member := range v {
				walk(fmt.Sprint(at, "/", i), member)
			}
		}
	}
	walk("", description())
	if examples < 25 {
		t.Errorf("there are only %d examples", examples)
	}
}

// TestTheOrdersInTheExamplesAreTaken sends each of them.
func TestTheOrdersInTheExamplesAreTaken(t *testing.T) { synctest.Test(t, testExamples) } // which begins in the year 2000

func testExamples(t *testing.T) {
	for path, methods := range at(description(), "paths").(map[string]any) {
		examples, _ := at(methods, "post", "requestBody", "content", "application/json", "examples").(map[string]any)
		for name, example := range examples {
			s := open(t, nil, withKeys(t), func(p *recess.Policy, _ *Config) { p.Scopes = map[string][]string{"checkout": {"/checkout/**"}} })
			body, _ := json.Marshal(at(example, "value"))
			want := 200
			if name == "one" {
				want = 422 // there is no such plan
			}
			s.is(order(path, string(body)).bearer(writeToken), want, "")
		}
	}
}

// TestEveryCodeIsDescribed finds a code in the sources that openapi.json does not have, and the other way round.
func TestEveryCodeIsDescribed(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?:code: |f\.code = http\.\w+, )"(\w+)"`).FindAllStringSubmatch(string(text), -1) {
			found[match[1]] = true
		}
	}
	delete(found, "form_token") // of the forms
	var described []string
	for _, code := range list(at(description(), "components", "schemas", "Problem", "properties", "code", "enum")) {
		described = append(described, code.(string))
	}
	slices.Sort(described)
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, described) {
		t.Errorf("the sources have %q, described are %q", got, described)
	}
}

// described compares an answer of the API with what openapi.json says of it.
func described(t testing.TB, method, path string, got *httptest.ResponseRecorder) {
	t.Helper()
	var operation any
	if method == strings.ToUpper(method) {
		operation = at(description(), "paths", path, strings.ToLower(strings.Replace(method, "HEAD", "GET", 1)))
	}
	response := at(operation, "responses", fmt.Sprint(got.Code))
	switch {
	case got.Code == 404 && at(description(), "paths", path) == nil:
		response = at(description(), "components", "responses", "NotFound")
	case got.Code == 405 && operation == nil:
		response = at(description(), "components", "responses", "Method")
	case operation == nil: // who may not look is not told
		response = at(description(), "paths", "/api/status", "get", "responses", fmt.Sprint(got.Code))
	}
	content, _ := at(response, "content").(map[string]any)
	media := at(content, got.Header().Get("Content-Type"))
	if media == nil {
		t.Errorf("%s %s: an answer %d of the type %q is not described", method, path, got.Code, got.Header().Get("Content-Type"))
		return
	}
	headers, _ := at(response, "headers").(map[string]any)
	for name := range headers {
		if got.Header().Get(name) == "" {
			t.Errorf("%s %s: an answer %d has no %s", method, path, got.Code, name)
		}
	}
	var body any
	if err := json.Unmarshal(got.Body.Bytes(), &body); err != nil {
		if method != "HEAD" || got.Body.Len() > 0 {
			t.Errorf("%s %s: %v in %q", method, path, err, got.Body)
		}
		return
	}
	for _, fault := range check(at(media, "schema"), body, method+" "+path) {
		t.Error(fault)
	}
	closed(t, at(media, "schema"), body, method+" "+path)
}

// check lists how a value differs from a schema. It knows the words of JSON Schema that openapi.json uses, and no other.
func check(schema, v any, at string) (faults []string) {
	fault := func(format string, args ...any) {
		faults = append(faults, at+": "+fmt.Sprintf(format, args...))
	}
	s := resolve(schema).(map[string]any)
	object, isObject := v.(map[string]any)
	text, isText := v.(string)
	number, isNumber := v.(float64)
	array, isArray := v.([]any)
	for word, want := range s {
		switch word {
		case "description":
		case "type":
			types := list(want)
			if types == nil {
				types = []any{want}
			}
			is := map[string]bool{
				"null": v == nil, "object": isObject, "string": isText, "array": isArray, "number": isNumber, "integer": isNumber && number == math.Trunc(number), "boolean": v == true || v == false,
			}
			if !slices.ContainsFunc(types, func(t any) bool { return is[t.(string)] }) {
				fault("%v is no %v", v, want)
			}
		case "enum":
			if !slices.Contains(list(want), v) {
				fault("%v is none of %v", v, want)
			}
		case "const":
			if v != want {
				fault("%v is not %v", v, want)
			}
		case "minimum":
			if isNumber && number < want.(float64) {
				fault("%v is less than %v", v, want)
			}
		case "maximum":
			if isNumber && number > want.(float64) {
				fault("%v is more than %v", v, want)
			}
		case "maxLength":
			if isText && len([]rune(text)) > int(want.(float64)) {
				fault("%q is longer than %v", v, want)
			}
		case "maxProperties":
			if len(object) > int(want.(float64)) {
				fault("%d members are more than %v", len(object), want)
			}
		case "format":
			if _, err := time.Parse(time.RFC3339, text); isText && (want != "date-time" || err != nil) {
				fault("%q is no %v", v, want)
			}
		case "required":
			for _, name := range list(want) {
				if _, there := object[name.(string)]; isObject && !there {
					fault("there is no %v", name)
				}
			}
		case "properties":
			for name, property := range want.(map[string]any) {
				if member, there := object[name]; there {
					faults = append(faults, check(property, member, at+"."+name)...)
				}
			}
		case "additionalProperties":
			properties, _ := s["properties"].(map[string]any)
			for name, member := range object {
				switch _, known := properties[name]; {
				case known:
				case want == false:
					fault("there may be no %q", name)
				default:
					faults = append(faults, check(want, member, at+"."+name)...)
				}
			}
		case "items":
			for i, item := range array {
				faults = append(faults, check(want, item, fmt.Sprint(at, "[", i, "]"))...)
			}
		case "allOf":
			for _, one := range list(want) {
				faults = append(faults, check(one, v, at)...)
			}
		case "oneOf":
			fits := slices.DeleteFunc(slices.Clone(list(want)), func(one any) bool { return len(check(one, v, at)) > 0 })
			if len(fits) != 1 {
				fault("%v fits %d of %v", v, len(fits), want)
			}
		default:
			fault("the schema says %q, which this test does not know", word)
		}
	}
	return faults
}

// closed finds members of an answer that its schema does not name. (The schema itself allows them: members may be added.)
func closed(t testing.TB, schema, v any, where string) {
	t.Helper()
	s, _ := resolve(schema).(map[string]any)
	for _, word := range []string{"allOf", "oneOf"} {
		if all := list(s[word]); len(all) > 0 {
			if v != nil {
				closed(t, all[0], v, where)
			}
			return
		}
	}
	properties, has := s["properties"].(map[string]any)
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if !has {
				continue
			}
			if properties[name] == nil {
				t.Errorf("%s.%s is not described", where, name)
				continue
			}
			closed(t, properties[name], member, where+"."+name)
		}
	case []any:
		for _, item := range v {
			closed(t, s["items"], item, where+"[]")
		}
	}
}
