// Package adaptertest is the conformance suite of Recess's adapters, ours and third parties'. It drives one and the
// same site, built in each framework's idiom, over a real listener with raw requests, and asserts what went over the
// wire and which handler ran.
//
// An adapter says how its framework builds the site and what its router does of its own:
//
//	func TestConformance(t *testing.T) {
//		adaptertest.Run(t, adaptertest.Framework{Name: "gin", Serve: serve})
//	}
//
//	func TestTriples(t *testing.T) {
//		adaptertest.Triples(t, adaptertest.Framework{Name: "gin", Serve: serve})
//	}
//
//	func serve(t testing.TB, engine *recess.Engine, site *adaptertest.Site, listener net.Listener) {
//		router := gin.New()
//		gate, err := recessgin.New(engine, adaptertest.Hooks(site, call))
//		…
//		adaptertest.ServeHTTP(t, listener, router)
//	}
package adaptertest
