package admin

import (
	"net/http"
	"net/http/pprof"
)

// profiles adds Go's own profiles of the process, for whoever asks where memory
// or time goes:
//
//	curl --unix-socket meerkat.sock -o heap http://x/debug/pprof/heap?gc=1
//	go tool pprof meerkat heap
func profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}
