package admin

import (
	"net/http"

	"meerkat/engine/depot"
)

func (s *Server) uploads(w http.ResponseWriter, r *http.Request) {
	limit, ok := pageLimit(w, r)
	if !ok {
		return
	}
	list, err := s.Uploads.ListUploads(r.FormValue("prefix"), r.FormValue("after"), limit)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, http.StatusOK, UploadPage{append([]depot.Owner{}, list...)}) // [], not null
}

// removeUploads does not ask for an account: there may be none any more.
func (s *Server) removeUploads(w http.ResponseWriter, r *http.Request) {
	jid := r.PathValue("jid")
	was, err := s.Uploads.RemoveUploads(jid)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	s.Log.Info("uploads removed", "jid", jid, "files", was.Files, "bytes", was.Bytes, "by", "admin socket")
	answer(w, http.StatusOK, was)
}
