package page

import (
	"bytes"
	_ "embed" // the page
	"html/template"
	"strconv"
)

var (
	//go:embed link.html
	linkHTML string
	//go:embed link.css
	linkCSS string

	linkPage  = template.Must(template.New("link").Parse(linkHTML))
	linkStyle = template.CSS(pageCSS + linkCSS)

	// fieldLinkCSP lets the form post to this site alone.
	fieldLinkCSP = newField("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash(string(linkStyle))+
		"'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
)

// Link is the page behind a link to a bypass pass: words and, where the link can be used, a button.
type Link struct {
	Status          int
	Title, Sentence string
	Form            *LinkForm // nil: no button
	Allow           string    // the methods there are, for status 405
}

// LinkForm is what the button posts.
type LinkForm struct {
	Action, Link, To, Button string
}

// Answer makes a response of the page. It is kept by no cache, shown in no frame, and tells no other page where it stands.
func (l Link) Answer() (*Answer, error) {
	var body bytes.Buffer
	err := linkPage.Execute(&body, struct {
		Link
		Style template.CSS
	}{l, linkStyle})
	header := []Field{
		media[kindHTML].contentType, newField("Content-Length", strconv.Itoa(body.Len())),
		fieldCacheControl, fieldNoSniff, fieldLinkCSP, fieldReferrer,
	}
	if l.Allow != "" {
		header = append(header, newField("Allow", l.Allow))
	}
	return &Answer{Status: l.Status, Header: header, Body: body.Bytes(), MediaType: "text/html"}, err
}

// SeeOther sends a browser on to a path of this site, by GET (RFC 9110, section 15.4.4), and gives it a cookie.
func SeeOther(path, cookie string) *Answer {
	return &Answer{Status: 303, MediaType: "text/plain", Header: []Field{
		media[kindText].contentType, newField("Content-Length", "0"), newField("Location", path), newField("Set-Cookie", cookie),
		fieldCacheControl, fieldNoSniff, fieldReferrer,
	}}
}
