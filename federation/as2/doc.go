// Package as2 turns ActivityStreams documents into plain Go values and back. It
// reads straight from the bytes that arrived, tolerant of every shape that real
// servers send, and writes with go-fed's vocabulary, whose only importer it is.
//
// What it reads is what a peer said, not what is true: who may say what about
// whom is for the caller to judge.
package as2
