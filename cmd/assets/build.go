package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Build returns what web/static/dist must hold, by file name: app.css, app.js,
// icons.svg and favicon.svg.
func Build(root string) (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, entry := range []string{"app.css", "app.ts"} {
		name, out, err := bundle(root, entry)
		if err != nil {
			return nil, err
		}
		files[name] = out
	}
	icons, err := sprite(filepath.Join(root, "icons"))
	if err != nil {
		return nil, err
	}
	files["icons.svg"] = icons
	if files["favicon.svg"], err = os.ReadFile(filepath.Join(root, "src", "favicon.svg")); err != nil {
		return nil, err
	}
	return files, nil
}

// bundle runs esbuild on one entry file. Nesting is lowered for browsers of
// early 2023, since school laptops are not always new; fonts stay outside, as
// the server gives them names of its own.
func bundle(root, entry string) (name string, out []byte, err error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return "", nil, err
	}
	res := api.Build(api.BuildOptions{
		EntryPoints:       []string{filepath.Join(abs, "src", entry)},
		AbsWorkingDir:     abs,
		Outdir:            filepath.Join(abs, "dist"),
		Bundle:            true,
		MinifyWhitespace:  true,
		MinifySyntax:      true,
		MinifyIdentifiers: true,
		Charset:           api.CharsetUTF8,
		LegalComments:     api.LegalCommentsNone,
		Format:            api.FormatIIFE,
		External:          []string{"*.woff2"},
		Engines: []api.Engine{
			{Name: api.EngineChrome, Version: "109"},
			{Name: api.EngineFirefox, Version: "115"},
			{Name: api.EngineSafari, Version: "16.4"},
		},
		LogLevel: api.LogLevelSilent,
	})
	if problems := append(res.Errors, res.Warnings...); len(problems) > 0 {
		m := problems[0]
		if m.Location != nil {
			return "", nil, fmt.Errorf("%s:%d: %s", m.Location.File, m.Location.Line, m.Text)
		}
		return "", nil, fmt.Errorf("%s: %s", entry, m.Text)
	}
	if len(res.OutputFiles) != 1 {
		return "", nil, fmt.Errorf("%s: %d output files, want 1", entry, len(res.OutputFiles))
	}
	f := res.OutputFiles[0]
	return filepath.Base(f.Path), f.Contents, nil
}

var (
	svgBody = regexp.MustCompile(`(?s)<svg[^>]*>(.*)</svg>`)
	spaces  = regexp.MustCompile(`\s+`)
)

// sprite joins the icons of dir into one SVG file of symbols, named after
// their files. Stroke and fill come from the page's style sheet.
func sprite(dir string) ([]byte, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil {
		return nil, err
	}
	sort.Strings(paths)
	var b strings.Builder
	b.WriteString("<svg xmlns=\"http://www.w3.org/2000/svg\">\n")
	b.WriteString("<!-- Lucide icons, ISC licence, Copyright (c) Lucide Icons and Contributors; the ring is Chalkring's own. -->\n")
	for _, path := range paths {
		src, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		m := svgBody.FindSubmatch(src)
		if m == nil {
			return nil, fmt.Errorf("%s: no <svg> element", path)
		}
		body := strings.TrimSpace(spaces.ReplaceAllString(string(m[1]), " "))
		body = strings.ReplaceAll(strings.ReplaceAll(body, " />", "/>"), "> <", "><")
		fmt.Fprintf(&b, "<symbol id=%q viewBox=\"0 0 24 24\">%s</symbol>\n", strings.TrimSuffix(filepath.Base(path), ".svg"), body)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String()), nil
}
