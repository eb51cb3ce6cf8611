package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	nodeInfoKept   = "public, max-age=600" // the same for everyone; RFC 9111, section 5.2.2
	nodeInfoSchema = "http://nodeinfo.diaspora.software/ns/schema/"
	// applicationRel leads from NodeInfo to a server's own actor.
	//
	// FEP-2677.
	applicationRel = "https://www.w3.org/ns/activitystreams#Application"
)

// getNodeInfoLinks lists the NodeInfo documents, and the server's own actor.
//
// NodeInfo protocol, section "Discovery"; FEP-2677.
func (f *Federation) getNodeInfoLinks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", nodeInfoKept)
	f.writeJSON(w, "application/json", map[string]any{"links": []jrdLink{
		{Rel: nodeInfoSchema + "2.1", Href: f.site.URL("/nodeinfo/2.1")},
		{Rel: nodeInfoSchema + "2.0", Href: f.site.URL("/nodeinfo/2.0")},
		{Rel: applicationRel, Href: f.site.Instance()},
	}})
}

// nodeInfoDocument is what servers tell of their software.
//
// NodeInfo schema 2.1.
type nodeInfoDocument struct {
	Version   string           `json:"version"`
	Software  nodeInfoSoftware `json:"software"`
	Protocols []string         `json:"protocols"`
	Services  struct {
		Inbound  []string `json:"inbound"`
		Outbound []string `json:"outbound"`
	} `json:"services"`
	OpenRegistrations bool `json:"openRegistrations"`
	Usage             struct {
		Users struct{} `json:"users"` // how many people a school has is nobody's business
	} `json:"usage"`
	Metadata struct {
		NodeName        string `json:"nodeName,omitempty"`
		NodeDescription string `json:"nodeDescription,omitempty"`
		// Upstream names the software whose client API is spoken here: some
		// clients know servers by a list of names (megalodon 10).
		Upstream struct {
			Name string `json:"name"`
		} `json:"upstream"`
	} `json:"metadata"`
}

type nodeInfoSoftware struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Repository string `json:"repository,omitempty"`
}

// getNodeInfo tells what software this is, in either version of the schema.
func (f *Federation) getNodeInfo(w http.ResponseWriter, r *http.Request) {
	var site community.Site
	if err := f.db.Read(r.Context(), func(tx *store.Tx) (err error) {
		site, err = community.SiteOf(tx)
		return err
	}); err != nil {
		f.fail(w, r, err)
		return
	}
	d := nodeInfoDocument{Version: mux.Vars(r)["version"], Software: nodeInfoSoftware{Name: "chalkring", Version: f.version}, Protocols: []string{"activitypub"}}
	d.Services.Inbound, d.Services.Outbound = []string{}, []string{}
	d.Metadata.NodeName, d.Metadata.Upstream.Name = site.Title(), "Mastodon"
	w.Header().Set("Cache-Control", nodeInfoKept)
	f.writeJSON(w, `application/json; profile="`+nodeInfoSchema+d.Version+`#"`, d)
}

// node is what another server's NodeInfo tells.
type node struct {
	Name, Software, Version string
	Actor                   string // of the server itself, where NodeInfo names it
}

// nodeInfo asks a server for its NodeInfo.
func (f *Federation) nodeInfo(ctx context.Context, host string) (node, error) {
	res, err := f.get(ctx, f.site.Scheme+"://"+host+"/.well-known/nodeinfo", "application/json")
	if err != nil {
		return node{}, err
	}
	document, actor, err := readNodeInfoLinks(res.Body)
	if err != nil {
		return node{}, fault.Wrap(fault.Unavailable, err, "The server %s does not say what it is.", host)
	}
	if at, err := iri.HostOf(document); err != nil || at != host {
		return node{}, fault.New(fault.Unavailable, "The server %s does not say what it is.", host)
	}
	if res, err = f.get(ctx, document, "application/json"); err != nil {
		return node{}, err
	}
	n, err := readNodeInfo(res.Body)
	if err != nil {
		return node{}, fault.Wrap(fault.Unavailable, err, "The server %s does not say what it is.", host)
	}
	n.Actor = actor
	return n, nil
}

// readNodeInfoLinks finds the newest NodeInfo document of those that we know,
// and the server's own actor, if it is named.
func readNodeInfoLinks(body []byte) (document, actor string, err error) {
	var list struct {
		Links []struct {
			Rel  string `json:"rel"`
			Href string `json:"href"`
		} `json:"links"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return "", "", fmt.Errorf("NodeInfo: %w", err)
	}
	best := ""
	for _, link := range list.Links {
		if webAddress(link.Href) == "" {
			continue
		}
		version, ok := strings.CutPrefix(link.Rel, nodeInfoSchema)
		switch {
		case link.Rel == applicationRel:
			actor = link.Href
		case ok && (version == "2.0" || version == "2.1" || version == "1.0" || version == "1.1") && version > best:
			best, document = version, link.Href
		}
	}
	if document == "" {
		return "", "", fmt.Errorf("NodeInfo: no document of a known version is listed")
	}
	return document, actor, nil
}

// readNodeInfo reads the few things that are kept of a NodeInfo document. Its
// metadata may hold anything.
func readNodeInfo(body []byte) (node, error) {
	var d struct {
		Software struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"software"`
		Metadata json.RawMessage `json:"metadata"`
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return node{}, fmt.Errorf("NodeInfo: %w", err)
	}
	n := node{Software: d.Software.Name, Version: d.Software.Version}
	var metadata struct {
		NodeName string `json:"nodeName"`
	}
	if json.Unmarshal(d.Metadata, &metadata) == nil {
		n.Name = metadata.NodeName
	}
	return n, nil
}
