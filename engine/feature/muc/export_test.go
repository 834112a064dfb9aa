package muc

// Records is where rooms are stored.
var Records = records
