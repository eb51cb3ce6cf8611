package web

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// tie does one of the things that tie the reader to an account or untie them.
func (p *Pages) tie(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	deed := mux.Vars(r)["deed"]
	done := ""
	var them community.Account
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if them, err = p.known(tx, id); err != nil {
			return err
		}
		switch deed {
		case "follow":
			var state community.FollowState
			state, err = community.Follow(tx, h.me, them)
			if done = "flash.following"; state == community.FollowRequested {
				done = "flash.follow_requested"
			}
		case "unfollow":
			done, err = "flash.unfollowed", community.Unfollow(tx, h.me, them)
		case "mute":
			done, err = "flash.muted", community.Mute(tx, h.me, them, true, nil)
		case "unmute":
			done, err = "flash.unmuted", community.Unmute(tx, h.me, them)
		case "block":
			done, err = "flash.blocked", community.Block(tx, h.me, them)
		case "unblock":
			done, err = "flash.unblocked", community.Unblock(tx, h.me, them)
		case "remove-follower":
			done, err = "flash.follower_removed", community.RemoveFollower(tx, h.me, them)
		case "accept":
			done, err = "flash.follow_accepted", community.AcceptFollow(tx, h.me, them)
		case "reject":
			done, err = "flash.follow_rejected", community.RejectFollow(tx, h.me, them)
		}
		return err
	})
	if err != nil {
		return err
	}
	p.flash(w, done, "Name", them.Name())
	if deed == "block" { // asked for on a page of its own
		return seeOther(w, r, personPath(them))
	}
	return p.back(w, r, personPath(them))
}

// known returns an account that people may know of: not one that only asked
// to become a person here.
func (p *Pages) known(tx *store.Tx, id int64) (community.Account, error) {
	a, err := community.AccountByID(tx, id)
	if err != nil {
		return a, err
	}
	return a, admitted(tx, a)
}

// admitted fails for somebody who has asked for an account and waits.
func admitted(tx *store.Tx, a community.Account) error {
	if !a.Local() {
		return nil
	}
	u, err := community.UserOf(tx, a.ID)
	if err == nil && u.State == community.Pending {
		err = fault.Keyed(fault.NotFound, "account.none", "There is no such account.", nil)
	}
	return err
}

// askBlock says what blocking somebody does before it is done.
func (p *Pages) askBlock(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var them community.Account
	var tie community.Relation
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if them, err = p.known(tx, id); err != nil {
			return err
		}
		ties, err := community.Relationship(tx, h.me.ID, []int64{id})
		if err == nil {
			tie = ties[0]
		}
		return err
	})
	if err != nil {
		return err
	}
	l, name := h.l, them.Name()
	panel := ConfirmPanel{Title: l.T("block.title", "Name", name), Action: "/accounts/" + digits(id) + "/block", Button: l.T("block.button"), Cancel: personPath(them),
		Effects: []string{l.T("block.unseen", "Name", name)}}
	if tie.Following != community.FollowNone {
		panel.Effects = append(panel.Effects, l.T("block.unfollow", "Name", name))
	}
	if tie.FollowedBy != community.FollowNone {
		panel.Effects = append(panel.Effects, l.T("block.unfollowed", "Name", name))
	}
	panel.Effects = append(panel.Effects, l.T("block.undo"))
	h.frame.Here = People
	return p.render(h, w, http.StatusOK, "confirm", panel.Title, confirmPage{panel})
}
