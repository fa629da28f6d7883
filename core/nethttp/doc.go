// Package nethttp puts Recess before a net/http handler, and holds what gin, echo and chi share with it: how an
// [http.Request] and an [http.ResponseWriter] look to the engine.
//
//	gate, err := nethttp.New(engine, nethttp.Hooks{}, nethttp.MuxMarkers(mux))
//	mux.Handle("GET /healthz", gate.ForceOff(healthz))
//	http.ListenAndServe(addr, gate.Middleware(mux))
package nethttp
