package stanza

import "unsafe"

// bytesOf views s as bytes that nobody may write to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
