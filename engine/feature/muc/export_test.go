package muc

// Records is where rooms are stored.
var Records = records

// Affiliations is where their people are stored.
var Affiliations = affiliations
