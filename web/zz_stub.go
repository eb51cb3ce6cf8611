// TEMPORARY: what is not written yet.
package web

import (
	"net/http"

	"github.com/gorilla/mux"
)

func (p *Pages) peopleRoutes(r *mux.Router)                                          {}
func (p *Pages) settingsRoutes(r *mux.Router)                                        {}
func (p *Pages) authorizeForm(h *here, w http.ResponseWriter, r *http.Request) error { return nil }
func (p *Pages) authorize(h *here, w http.ResponseWriter, r *http.Request) error     { return nil }
func (p *Pages) about(h *here, w http.ResponseWriter, r *http.Request) error         { return nil }
