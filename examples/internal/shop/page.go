package shop

import (
	"embed"
	"html/template"

	"github.com/recess-go/recess/core"
)

//go:embed templates
var files embed.FS

// Templates are the pages: shop.html and cart.html. Their dot is a [View].
func Templates() *template.Template {
	return template.Must(template.ParseFS(files, "templates/*.html"))
}

// A View is what a page shows.
type View struct {
	Products    []Product
	Me          Me
	Maintenance *recess.Maintenance // nil: no banner
	Languages   string              // those the visitor asks for: Accept-Language
	Added       *Product            // what was just put into the cart; nil: nothing
}

// ViewFor is the view of one visitor.
func ViewFor(u recess.User, m *recess.Maintenance, languages string) View {
	return View{Products: Catalogue, Me: MeOf(u), Maintenance: m, Languages: languages}
}

// With returns the view with a product in the cart, if there is one of that id.
func (v View) With(id string) View {
	if p, ok := ProductOf(id); ok {
		v.Added = &p
	}
	return v
}
