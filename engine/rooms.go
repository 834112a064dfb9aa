package engine

import "meerkat/engine/feature/muc"

// Rooms returns the rooms of a running server, for its operator.
func (s *Server) Rooms() *muc.Operator { return s.operator }
