package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Setting is one line of the reference.
type Setting struct {
	Key     string // in the file of settings; empty for the file's own name
	Flag    string // on the command line
	Env     string // in the environment
	Default string
	Meaning string
	Secret  bool // not to be printed
	field   int
}

// Settings returns every setting, as declared.
func Settings() []Setting {
	t := reflect.TypeFor[Config]()
	var out []Setting
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		key := tag.Get("name")
		if key == "" {
			key = strings.ToLower(t.Field(i).Name)
		}
		_, secret := tag.Lookup("secret")
		s := Setting{Key: key, Flag: "--" + key, Env: tag.Get("env"), Default: tag.Get("default"), Meaning: tag.Get("help"), Secret: secret, field: i}
		if key == "config" {
			s.Key = ""
		}
		out = append(out, s)
	}
	return out
}

// Reference returns every setting with its names, its default and its meaning,
// as a table in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString("| in the file | in the environment | on the command line | default | meaning |\n")
	b.WriteString("| --- | --- | --- | --- | --- |\n")
	for _, s := range Settings() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", code(s.Key), code(s.Env), code(s.Flag), code(s.Default), strings.ReplaceAll(s.Meaning, "|", `\|`))
	}
	return b.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// Values returns every setting as it is now, in the order of Settings, for
// printing: a secret shows only whether it is set, and a database's URL shows
// no password.
func (c *Config) Values() []string {
	v := reflect.ValueOf(*c)
	var out []string
	for _, s := range Settings() {
		value := fmt.Sprint(v.Field(s.field).Interface())
		switch {
		case s.Secret && value != "":
			value = "(set)"
		case s.Key == "database":
			value = withoutPassword(value)
		}
		out = append(out, value)
	}
	return out
}

func withoutPassword(database string) string {
	scheme, rest, ok := strings.Cut(database, "://")
	if !ok {
		return database
	}
	rest, query, _ := strings.Cut(rest, "?")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, _, _ := strings.Cut(rest[:i], ":")
		rest = user + rest[i:]
	}
	if query != "" { // a password may stand here too
		rest += "?…"
	}
	return scheme + "://" + rest
}

// Loud returns what the log should say aloud when the server starts: settings
// that weaken a safeguard or that an administrator should know to be in force.
func (c *Config) Loud() []string {
	var out []string
	if len(c.EgressAllow) > 0 {
		out = append(out, "egress-allow: this server may call private addresses in "+c.EgressAllow.String())
	}
	if c.ExtraRoots != "" {
		out = append(out, "extra-roots: certificates signed by the authorities in "+c.ExtraRoots+" are trusted")
	}
	if c.CertFile != "" {
		out = append(out, "cert-file: serving an own certificate from "+c.CertFile+"; renewing it is up to you")
	}
	if c.ACMEDirectory != "" {
		out = append(out, "acme-directory: certificates come from "+c.ACMEDirectory)
	}
	if !c.RateLimits {
		out = append(out, "rate-limits: off; anyone may ask for as much as they like")
	}
	for _, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			out = append(out, "trusted-proxies: "+p.String()+" lets every client claim any address")
		}
	}
	if c.TLS() == Plain || c.Scheme() == "http" {
		out = append(out, "host: plain http on "+c.Host+", for trying out; no other server can reach it")
	}
	return out
}
