package nethttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// visit is the request context of a framework that does not exist.
type visit struct {
	marker recess.Marker
	value  *recess.Maintenance
}

func TestAPortPutsRequestsToItsEngine(t *testing.T) {
	engine, err := recess.New(t.Context(), recess.Config{
		Backend: memstate.New(memstate.Config{}), Policy: recess.Policy{AllowPaths: []string{"/in"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	port := nethttp.Port[*visit]{
		Engine: engine,
		Marker: func(v *visit) recess.Marker { return v.marker },
		Attach: func(v *visit, m *recess.Maintenance) { v.value = m },
	}
	off, on, none := recess.Marker{Force: recess.ForcedOff}, recess.Marker{Force: recess.ForcedOn}, recess.Marker{}
	for _, test := range []struct {
		name     string
		running  bool
		forced   bool // the request has reached a route that is forced on
		path     string
		marker   recess.Marker
		admitted bool
		attached bool
	}{
		{"nothing runs", false, false, "/page", none, true, false},
		{"nothing runs and the route is forced on", false, true, "/page", on, false, false},
		{"nothing runs and the marker that was reached is not found", false, true, "/page", none, false, false},
		{"nothing runs and a marker further in is forced off", false, true, "/page", off, true, false},
		{"a window runs", true, false, "/page", none, false, false},
		{"a window runs and the route is forced off", true, false, "/page", off, true, false},
		{"a window runs and the path is allowed", true, false, "/in", none, true, true},
		{"a window runs and the allowed path is forced on", true, true, "/in", none, false, false},
	} {
		control := engine.Control(state.Actor{Name: "test"})
		if test.running {
			_, err = control.On(t.Context(), recess.Opening{})
		} else {
			_, err = control.Off(t.Context(), recess.Ending{})
		}
		if err != nil {
			t.Fatal(err)
		}
		v, w, r := &visit{marker: test.marker}, httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, test.path, nil)
		ticket := engine.Begin()
		var admitted bool
		if test.forced {
			admitted = port.AdmitMarked(on, v, w, r)
		} else {
			admitted = port.Admit(&ticket, v, w, r)
		}
		ticket.End()
		if admitted != test.admitted || admitted == (w.Code == http.StatusServiceUnavailable) {
			t.Errorf("%s: admitted is %t with status %d, want %t", test.name, admitted, w.Code, test.admitted)
		}
		if (v.value != nil) != test.attached || v.value != recess.FromContext(r.Context()) {
			t.Errorf("%s: %v is attached, %v to the request", test.name, v.value, recess.FromContext(r.Context()))
		}
	}
}
