package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/recess-go/recess/core/internal/integration/must"
)

// zone is where the browser lives, and so its user.
const zone = "America/New_York"

// chromium starts a browser that ends with the test, and skips the test where there is none.
func chromium(t *testing.T) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("LEFT OUT: chromium is not installed (Debian's package chromium brings it)")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoInheritEnv,
		chromedp.Env("PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "TZ="+zone, "LANG=en_US.UTF-8", "LANGUAGE=en_US"),
		chromedp.Flag("lang", "en-US"), chromedp.WindowSize(1280, 900),
		// All frames live in one process: what they show is seen from the tab.
		chromedp.Flag("disable-site-isolation-trials", true), chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,IsolateSandboxedIframes,IsolateOrigins,site-per-process"),
	)
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience) // for all that one test asks of it
	t.Cleanup(cancel)
	ctx, closeAll := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(closeAll)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	t.Cleanup(closeBrowser)
	must.Do(t, chromedp.Do(ctx)) // it runs
	return ctx
}

// A tab is one of a person's: it knows nobody else's cookies.
type tab struct {
	t    testing.TB
	ctx  context.Context
	base string // the site that the person is on

	mu       sync.Mutex
	foreign  []string // addresses of other hosts that were asked for
	troubles []string // what the browser complains of
}

// visitor opens a tab with cookies of its own, on a site.
func visitor(t testing.TB, browser context.Context, base string) *tab {
	t.Helper()
	v := &tab{t: t, base: base}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(v.hear))
	t.Cleanup(cancel)
	v.ctx = ctx
	call(v, audits.Enable, cdp.Empty{})
	return v
}

// beside opens a further tab of the same person.
func (v *tab) beside(base string) *tab {
	v.t.Helper()
	w := &tab{t: v.t, base: base}
	ctx, cancel := chromedp.NewContext(v.ctx, chromedp.WithListener(w.hear))
	v.t.Cleanup(cancel)
	w.ctx = ctx
	call(w, audits.Enable, cdp.Empty{})
	return w
}

// hear takes down what a tab asks for and complains of.
func (v *tab) hear(event any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Scheme != "data" && !strings.HasPrefix(e.Request.URL, v.base+"/") {
			v.foreign = append(v.foreign, e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		v.troubles = append(v.troubles, fmt.Sprintf("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		v.troubles = append(v.troubles, fmt.Sprintf("console.%s: %v", e.Type, e.Args))
	case *log.EventEntryAdded:
		v.troubles = append(v.troubles, fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *audits.EventIssueAdded:
		if e.Issue.Code == audits.InspectorIssueCodeCookieIssue {
			return // what stands in a frame of no origin is asked for without cookies
		}
		v.troubles = append(v.troubles, fmt.Sprintf("issue: %s %+v", e.Issue.Code, e.Issue.Details))
	}
}

// complaints returns what the browser has complained of since it was last asked, but for answers with the statuses that are
// expected, and addresses of other hosts.
func (v *tab) complaints(statuses ...int) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := slices.DeleteFunc(v.troubles, func(trouble string) bool {
		return slices.ContainsFunc(statuses, func(status int) bool {
			return strings.Contains(trouble, fmt.Sprintf("responded with a status of %d ", status))
		})
	})
	for _, address := range v.foreign {
		all = append(all, "another host was asked: "+address)
	}
	v.troubles, v.foreign = nil, nil
	return all
}

// content fails the test for what the browser complains of.
func (v *tab) content(statuses ...int) {
	v.t.Helper()
	for _, complaint := range v.complaints(statuses...) {
		v.t.Errorf("the browser complains: %s", complaint)
	}
}

// call sends a command to the tab.
func call[P, R any](v *tab, command cdp.Command[P, R], params P) R {
	v.t.Helper()
	answer, err := chromedp.Run(v.ctx, func(ctx context.Context, target *chromedp.Target) (R, error) {
		return cdp.Call(ctx, target, command, params)
	})
	if err != nil {
		v.t.Fatalf("%s: %v", command.Method, err)
	}
	return answer
}

// open goes to an address of the site and returns the answer's status.
func (v *tab) open(path string) int {
	v.t.Helper()
	answer, err := chromedp.Run(v.ctx, chromedp.NavigateResponse(v.base+path))
	if err != nil {
		v.t.Fatalf("%s: %v", path, err)
	}
	return int(answer.Status)
}

// value evaluates an expression on the page. The browser's tools may do so even where pages may run no scripts.
func value[T any](v *tab, expression string) T {
	v.t.Helper()
	result, err := chromedp.Run(v.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		v.t.Fatalf("%s: %v", expression, err)
	}
	return result
}

// until waits until an expression is true, on whatever page the tab shows by then.
func (v *tab) until(what, expression string) {
	v.t.Helper()
	var last error
	defer func() {
		if v.t.Failed() {
			v.t.Logf("the page is\n%s\n%v", value[string](v, "location.href + ' ' + document.body?.innerText"), last)
		}
	}()
	must.Become(v.t, what, func() (is bool) {
		is, last = chromedp.Run(v.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		return is && last == nil
	})
}

// says waits until an element has a text.
func (v *tab) says(selector, words string) {
	v.t.Helper()
	v.until(fmt.Sprintf("%s says %q", selector, words),
		fmt.Sprintf(`document.querySelector(%q)?.innerText.replace(/\s+/gu, " ").includes(%q)`, selector, words))
}

// fill puts a value into a field as if it was typed.
func (v *tab) fill(selector, text string) {
	v.t.Helper()
	value[bool](v, fmt.Sprintf(`(() => {
		const field = document.querySelector(%q);
		for (let up = field; up; up = up.parentElement) if (up.localName === "details") up.open = true;
		field.value = %q;
		field.dispatchEvent(new Event("input", { bubbles: true }));
		return true;
	})()`, selector, text))
}

// framed is the text in the frames of a page, which scripts may not read.
func (v *tab) framed() string {
	v.t.Helper()
	all, pierce := int64(-1), true
	var text strings.Builder
	var walk func(n *cdp.Node, framed bool)
	walk = func(n *cdp.Node, framed bool) {
		if framed && n.NodeName == "#text" {
			text.WriteString(n.NodeValue)
		}
		if n.ContentDocument != nil {
			walk(n.ContentDocument, true)
		}
		for _, child := range n.Children {
			walk(child, framed)
		}
	}
	walk(call(v, dom.GetDocument, dom.GetDocumentParams{Depth: &all, Pierce: &pierce}).Root, false)
	return text.String()
}

// press clicks on what does not leave the page.
func (v *tab) press(selector string) {
	v.t.Helper()
	if err := chromedp.Do(v.ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		v.t.Fatalf("%s cannot be clicked on: %v", selector, err)
	}
}

// submit clicks on what leads to another page, and returns the status of that.
func (v *tab) submit(selector string) int {
	v.t.Helper()
	answer, err := chromedp.RunResponse(v.ctx, chromedp.Click(chromedp.CSS(selector)))
	if err != nil {
		v.t.Fatalf("%s: %v", selector, err)
	}
	return int(answer.Status)
}

// scriptless forbids pages to run scripts, as some people do.
func (v *tab) scriptless() {
	v.t.Helper()
	call(v, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// picturesVariable names a folder for pictures of the pages that the tests see, for people to look at.
const picturesVariable = "RECESS_TEST_PICTURES"

// picture takes one if somebody wants to look.
func (v *tab) picture(name string) {
	v.t.Helper()
	folder := os.Getenv(picturesVariable)
	if folder == "" {
		return
	}
	image, err := chromedp.Run(v.ctx, chromedp.FullScreenshot(100))
	must.Do(v.t, errors.Join(err, os.WriteFile(filepath.Join(folder, name+".png"), image, 0o644)))
}
