package muc

import "meerkat/engine/metric"

var (
	roomsLoaded = metric.NewGauge("meerkat_muc_rooms", "Rooms in memory.")
	occupancy   = metric.NewGauge("meerkat_muc_occupants", "Sessions in rooms.")
	messages    = metric.NewCounter("meerkat_muc_messages_total", "Messages to rooms that all occupants got.")
	private     = metric.NewCounter("meerkat_muc_private_messages_total", "Messages from occupant to occupant.")
	joins       = metric.NewCounter("meerkat_muc_joins_total", "Sessions that entered a room.")
	created     = metric.NewCounter("meerkat_muc_created_total", "Rooms made.")
	destroyed   = metric.NewCounter("meerkat_muc_destroyed_total", "Rooms destroyed by an owner.")
	ghosts      = metric.NewCounter("meerkat_muc_ghosts_total", "Occupants removed because what they were sent came back.")
	refused     = metric.NewCounter("meerkat_muc_refused_total", "Stanzas to rooms answered with an error.")
	full        = metric.NewCounterVec("meerkat_muc_full_total",
		"What was refused because of a limit in section rooms.", "limit", "occupants", "per_user", "affiliated", "subject", "create", "waiting", "requests", "presence")
	archived      = metric.NewCounter("meerkat_muc_archived_total", "Messages to rooms written to their archives.")
	unarchived    = metric.NewCounter("meerkat_muc_archive_failed_total", "Messages to rooms that could not be written to an archive, and went on without an id.")
	queries       = metric.NewCounter("meerkat_muc_archive_queries_total", "Queries for archived messages of rooms.")
	registrations = metric.NewCounter("meerkat_muc_registrations_total", "Users that registered with a room, and that ended that.")
	moderations   = metric.NewCounter("meerkat_muc_moderated_total", "Messages that moderators took back.")
	replayed      = metric.NewCounter("meerkat_muc_replayed_total", "Messages given out of the archive to who came back after a crash and had not got them.")
	returned      = metric.NewCounter("meerkat_muc_returned_total", "Occupants that were still in their rooms when they came back after a restart of the server.")
	shown         = metric.NewCounter("meerkat_muc_archive_shown_total", "Archived messages of rooms sent to who asked.")
)

// Limits of full, by number.
const (
	fullOccupants = iota
	fullPerUser
	fullAffiliated
	fullSubject
	fullCreate
	fullWaiting
	fullRequests
	fullPresence
)
