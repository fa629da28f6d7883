package page_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/recess-go/recess/core/page"
)

func Example() {
	renderer, err := page.New(page.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ends := time.Date(2026, time.November, 21, 16, 30, 0, 0, time.UTC)
	set, err := renderer.Prepare(page.Notice{Mode: "full", Ends: ends, RetryAfter: 20 * time.Minute})
	if err != nil {
		fmt.Println(err)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		answer := set.Choose(page.Auto, r.Header.Get("Accept"), r.Header.Get("Accept-Language"))
		for _, field := range answer.Header {
			w.Header()[field.Name] = field.Value
		}
		w.WriteHeader(answer.Status)
		_, _ = w.Write(answer.Body)
	}

	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Header.Set("Accept", "text/plain")
	response := httptest.NewRecorder()
	handler(response, request)
	fmt.Println(response.Code, response.Header().Get("Retry-After"), response.Header().Get(page.HeaderName))
	fmt.Print(response.Body)
	// Output:
	// 503 1200 full;until=@1795278600
	// Closed for maintenance
	//
	// This site is being worked on. Please come back a little later.
	//
	// Expected back: Saturday, 21 November 2026, 16:30 UTC
}

func ExampleModeField() {
	until := time.Unix(1763733600, 0)
	fmt.Println(page.ModeField("full", "checkout", false, time.Time{}, until))
	fmt.Println(page.ModeField("full", "", true, time.Time{}, until))
	fmt.Println(page.ModeField("planned", "", false, until.Add(-time.Hour), until))
	// Output:
	// full;scope="checkout";until=@1763733600
	// full;allowed;until=@1763733600
	// planned;start=@1763730000;until=@1763733600
}
