package web

// adminFlash says how the flashes of the administrator's pages are shown; "" is
// no flash of theirs.
func adminFlash(key string) string {
	switch key {
	case "flash.peer_allowed", "flash.peer_changed", "flash.peer_removed", "flash.mode_allowlist", "flash.role_changed", "flash.person_enabled",
		"flash.password_set", "flash.unsuspended", "flash.invited", "flash.invite_revoked", "flash.approved", "flash.declined",
		"flash.site_saved", "flash.woken", "flash.peer_blocked", "flash.person_disabled", "flash.suspended":
		return "done"
	case "flash.mode_open":
		return "problem"
	}
	return ""
}
