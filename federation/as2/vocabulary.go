package as2

// The vocabulary that documents of ours are built from: go-fed's types and
// properties, each by itself. Its package streams would bring every type there
// is into the program, and a table of them into memory.
import (
	propertyactor "github.com/go-fed/activity/streams/impl/activitystreams/property_actor"
	propertyattributedto "github.com/go-fed/activity/streams/impl/activitystreams/property_attributedto"
	propertyaudience "github.com/go-fed/activity/streams/impl/activitystreams/property_audience"
	propertycc "github.com/go-fed/activity/streams/impl/activitystreams/property_cc"
	propertycontent "github.com/go-fed/activity/streams/impl/activitystreams/property_content"
	propertycontext "github.com/go-fed/activity/streams/impl/activitystreams/property_context"
	propertyfirst "github.com/go-fed/activity/streams/impl/activitystreams/property_first"
	propertyfollowers "github.com/go-fed/activity/streams/impl/activitystreams/property_followers"
	propertyfollowing "github.com/go-fed/activity/streams/impl/activitystreams/property_following"
	propertyheight "github.com/go-fed/activity/streams/impl/activitystreams/property_height"
	propertyhref "github.com/go-fed/activity/streams/impl/activitystreams/property_href"
	propertyinbox "github.com/go-fed/activity/streams/impl/activitystreams/property_inbox"
	propertyinreplyto "github.com/go-fed/activity/streams/impl/activitystreams/property_inreplyto"
	propertylast "github.com/go-fed/activity/streams/impl/activitystreams/property_last"
	propertymediatype "github.com/go-fed/activity/streams/impl/activitystreams/property_mediatype"
	propertyname "github.com/go-fed/activity/streams/impl/activitystreams/property_name"
	propertynext "github.com/go-fed/activity/streams/impl/activitystreams/property_next"
	propertyobject "github.com/go-fed/activity/streams/impl/activitystreams/property_object"
	propertyorigin "github.com/go-fed/activity/streams/impl/activitystreams/property_origin"
	propertyoutbox "github.com/go-fed/activity/streams/impl/activitystreams/property_outbox"
	propertypartof "github.com/go-fed/activity/streams/impl/activitystreams/property_partof"
	propertypreferredusername "github.com/go-fed/activity/streams/impl/activitystreams/property_preferredusername"
	propertyprev "github.com/go-fed/activity/streams/impl/activitystreams/property_prev"
	propertyrel "github.com/go-fed/activity/streams/impl/activitystreams/property_rel"
	propertyrelationship "github.com/go-fed/activity/streams/impl/activitystreams/property_relationship"
	propertysubject "github.com/go-fed/activity/streams/impl/activitystreams/property_subject"
	propertysummary "github.com/go-fed/activity/streams/impl/activitystreams/property_summary"
	propertytarget "github.com/go-fed/activity/streams/impl/activitystreams/property_target"
	propertyto "github.com/go-fed/activity/streams/impl/activitystreams/property_to"
	propertytotalitems "github.com/go-fed/activity/streams/impl/activitystreams/property_totalitems"
	propertyurl "github.com/go-fed/activity/streams/impl/activitystreams/property_url"
	propertywidth "github.com/go-fed/activity/streams/impl/activitystreams/property_width"
	typeaccept "github.com/go-fed/activity/streams/impl/activitystreams/type_accept"
	typeactivity "github.com/go-fed/activity/streams/impl/activitystreams/type_activity"
	typeadd "github.com/go-fed/activity/streams/impl/activitystreams/type_add"
	typeannounce "github.com/go-fed/activity/streams/impl/activitystreams/type_announce"
	typeapplication "github.com/go-fed/activity/streams/impl/activitystreams/type_application"
	typearticle "github.com/go-fed/activity/streams/impl/activitystreams/type_article"
	typeaudio "github.com/go-fed/activity/streams/impl/activitystreams/type_audio"
	typeblock "github.com/go-fed/activity/streams/impl/activitystreams/type_block"
	typecollection "github.com/go-fed/activity/streams/impl/activitystreams/type_collection"
	typecollectionpage "github.com/go-fed/activity/streams/impl/activitystreams/type_collectionpage"
	typecreate "github.com/go-fed/activity/streams/impl/activitystreams/type_create"
	typedelete "github.com/go-fed/activity/streams/impl/activitystreams/type_delete"
	typedislike "github.com/go-fed/activity/streams/impl/activitystreams/type_dislike"
	typedocument "github.com/go-fed/activity/streams/impl/activitystreams/type_document"
	typeevent "github.com/go-fed/activity/streams/impl/activitystreams/type_event"
	typeflag "github.com/go-fed/activity/streams/impl/activitystreams/type_flag"
	typefollow "github.com/go-fed/activity/streams/impl/activitystreams/type_follow"
	typegroup "github.com/go-fed/activity/streams/impl/activitystreams/type_group"
	typeimage "github.com/go-fed/activity/streams/impl/activitystreams/type_image"
	typejoin "github.com/go-fed/activity/streams/impl/activitystreams/type_join"
	typeleave "github.com/go-fed/activity/streams/impl/activitystreams/type_leave"
	typelike "github.com/go-fed/activity/streams/impl/activitystreams/type_like"
	typelink "github.com/go-fed/activity/streams/impl/activitystreams/type_link"
	typemention "github.com/go-fed/activity/streams/impl/activitystreams/type_mention"
	typemove "github.com/go-fed/activity/streams/impl/activitystreams/type_move"
	typenote "github.com/go-fed/activity/streams/impl/activitystreams/type_note"
	typeobject "github.com/go-fed/activity/streams/impl/activitystreams/type_object"
	typeoffer "github.com/go-fed/activity/streams/impl/activitystreams/type_offer"
	typeorderedcollection "github.com/go-fed/activity/streams/impl/activitystreams/type_orderedcollection"
	typeorderedcollectionpage "github.com/go-fed/activity/streams/impl/activitystreams/type_orderedcollectionpage"
	typeorganization "github.com/go-fed/activity/streams/impl/activitystreams/type_organization"
	typepage "github.com/go-fed/activity/streams/impl/activitystreams/type_page"
	typeperson "github.com/go-fed/activity/streams/impl/activitystreams/type_person"
	typeplace "github.com/go-fed/activity/streams/impl/activitystreams/type_place"
	typequestion "github.com/go-fed/activity/streams/impl/activitystreams/type_question"
	typereject "github.com/go-fed/activity/streams/impl/activitystreams/type_reject"
	typerelationship "github.com/go-fed/activity/streams/impl/activitystreams/type_relationship"
	typeremove "github.com/go-fed/activity/streams/impl/activitystreams/type_remove"
	typeservice "github.com/go-fed/activity/streams/impl/activitystreams/type_service"
	typetentativeaccept "github.com/go-fed/activity/streams/impl/activitystreams/type_tentativeaccept"
	typetombstone "github.com/go-fed/activity/streams/impl/activitystreams/type_tombstone"
	typeundo "github.com/go-fed/activity/streams/impl/activitystreams/type_undo"
	typeupdate "github.com/go-fed/activity/streams/impl/activitystreams/type_update"
	typevideo "github.com/go-fed/activity/streams/impl/activitystreams/type_video"
	propertyid "github.com/go-fed/activity/streams/impl/jsonld/property_id"
	propertytype "github.com/go-fed/activity/streams/impl/jsonld/property_type"
	propertydiscoverable "github.com/go-fed/activity/streams/impl/toot/property_discoverable"
	propertyfeatured "github.com/go-fed/activity/streams/impl/toot/property_featured"
	propertyowner "github.com/go-fed/activity/streams/impl/w3idsecurityv1/property_owner"
	propertypublickey "github.com/go-fed/activity/streams/impl/w3idsecurityv1/property_publickey"
	propertypublickeypem "github.com/go-fed/activity/streams/impl/w3idsecurityv1/property_publickeypem"
	typepublickey "github.com/go-fed/activity/streams/impl/w3idsecurityv1/type_publickey"
	"github.com/go-fed/activity/streams/vocab"
)

// The types.
var (
	makeAccept                  = typeaccept.NewActivityStreamsAccept
	makeActivity                = typeactivity.NewActivityStreamsActivity
	makeAdd                     = typeadd.NewActivityStreamsAdd
	makeAnnounce                = typeannounce.NewActivityStreamsAnnounce
	makeApplication             = typeapplication.NewActivityStreamsApplication
	makeArticle                 = typearticle.NewActivityStreamsArticle
	makeAudio                   = typeaudio.NewActivityStreamsAudio
	makeBlock                   = typeblock.NewActivityStreamsBlock
	makeCollection              = typecollection.NewActivityStreamsCollection
	makeCollectionPage          = typecollectionpage.NewActivityStreamsCollectionPage
	makeCreate                  = typecreate.NewActivityStreamsCreate
	makeDelete                  = typedelete.NewActivityStreamsDelete
	makeDislike                 = typedislike.NewActivityStreamsDislike
	makeDocument                = typedocument.NewActivityStreamsDocument
	makeEvent                   = typeevent.NewActivityStreamsEvent
	makeFlag                    = typeflag.NewActivityStreamsFlag
	makeFollow                  = typefollow.NewActivityStreamsFollow
	makeGroup                   = typegroup.NewActivityStreamsGroup
	makeImage                   = typeimage.NewActivityStreamsImage
	makeJoin                    = typejoin.NewActivityStreamsJoin
	makeLeave                   = typeleave.NewActivityStreamsLeave
	makeLike                    = typelike.NewActivityStreamsLike
	makeLink                    = typelink.NewActivityStreamsLink
	makeMention                 = typemention.NewActivityStreamsMention
	makeMove                    = typemove.NewActivityStreamsMove
	makeNote                    = typenote.NewActivityStreamsNote
	makeObject                  = typeobject.NewActivityStreamsObject
	makeOffer                   = typeoffer.NewActivityStreamsOffer
	makeOrderedCollection       = typeorderedcollection.NewActivityStreamsOrderedCollection
	makeOrderedCollectionPage   = typeorderedcollectionpage.NewActivityStreamsOrderedCollectionPage
	makeOrganization            = typeorganization.NewActivityStreamsOrganization
	makePage                    = typepage.NewActivityStreamsPage
	makePerson                  = typeperson.NewActivityStreamsPerson
	makePlace                   = typeplace.NewActivityStreamsPlace
	makeQuestion                = typequestion.NewActivityStreamsQuestion
	makeReject                  = typereject.NewActivityStreamsReject
	makeRelationship            = typerelationship.NewActivityStreamsRelationship
	makeRemove                  = typeremove.NewActivityStreamsRemove
	makeService                 = typeservice.NewActivityStreamsService
	makeTentativeAccept         = typetentativeaccept.NewActivityStreamsTentativeAccept
	makeTombstone               = typetombstone.NewActivityStreamsTombstone
	makeUndo                    = typeundo.NewActivityStreamsUndo
	makeUpdate                  = typeupdate.NewActivityStreamsUpdate
	makeVideo                   = typevideo.NewActivityStreamsVideo
	makeW3IDSecurityV1PublicKey = typepublickey.NewW3IDSecurityV1PublicKey
)

// The properties.
var (
	makeActorProperty                      = propertyactor.NewActivityStreamsActorProperty
	makeAttributedToProperty               = propertyattributedto.NewActivityStreamsAttributedToProperty
	makeAudienceProperty                   = propertyaudience.NewActivityStreamsAudienceProperty
	makeCcProperty                         = propertycc.NewActivityStreamsCcProperty
	makeContentProperty                    = propertycontent.NewActivityStreamsContentProperty
	makeContextProperty                    = propertycontext.NewActivityStreamsContextProperty
	makeFirstProperty                      = propertyfirst.NewActivityStreamsFirstProperty
	makeFollowersProperty                  = propertyfollowers.NewActivityStreamsFollowersProperty
	makeFollowingProperty                  = propertyfollowing.NewActivityStreamsFollowingProperty
	makeHeightProperty                     = propertyheight.NewActivityStreamsHeightProperty
	makeHrefProperty                       = propertyhref.NewActivityStreamsHrefProperty
	makeInReplyToProperty                  = propertyinreplyto.NewActivityStreamsInReplyToProperty
	makeInboxProperty                      = propertyinbox.NewActivityStreamsInboxProperty
	makeLastProperty                       = propertylast.NewActivityStreamsLastProperty
	makeMediaTypeProperty                  = propertymediatype.NewActivityStreamsMediaTypeProperty
	makeNameProperty                       = propertyname.NewActivityStreamsNameProperty
	makeNextProperty                       = propertynext.NewActivityStreamsNextProperty
	makeObjectProperty                     = propertyobject.NewActivityStreamsObjectProperty
	makeOriginProperty                     = propertyorigin.NewActivityStreamsOriginProperty
	makeOutboxProperty                     = propertyoutbox.NewActivityStreamsOutboxProperty
	makePartOfProperty                     = propertypartof.NewActivityStreamsPartOfProperty
	makePreferredUsernameProperty          = propertypreferredusername.NewActivityStreamsPreferredUsernameProperty
	makePrevProperty                       = propertyprev.NewActivityStreamsPrevProperty
	makeRelProperty                        = propertyrel.NewActivityStreamsRelProperty
	makeRelationshipProperty               = propertyrelationship.NewActivityStreamsRelationshipProperty
	makeSubjectProperty                    = propertysubject.NewActivityStreamsSubjectProperty
	makeSummaryProperty                    = propertysummary.NewActivityStreamsSummaryProperty
	makeTargetProperty                     = propertytarget.NewActivityStreamsTargetProperty
	makeToProperty                         = propertyto.NewActivityStreamsToProperty
	makeTotalItemsProperty                 = propertytotalitems.NewActivityStreamsTotalItemsProperty
	makeUrlProperty                        = propertyurl.NewActivityStreamsUrlProperty
	makeWidthProperty                      = propertywidth.NewActivityStreamsWidthProperty
	makeJSONLDIdProperty                   = propertyid.NewJSONLDIdProperty
	makeTootDiscoverableProperty           = propertydiscoverable.NewTootDiscoverableProperty
	makeTootFeaturedProperty               = propertyfeatured.NewTootFeaturedProperty
	makeW3IDSecurityV1OwnerProperty        = propertyowner.NewW3IDSecurityV1OwnerProperty
	makeW3IDSecurityV1PublicKeyPemProperty = propertypublickeypem.NewW3IDSecurityV1PublicKeyPemProperty
	makeW3IDSecurityV1PublicKeyProperty    = propertypublickey.NewW3IDSecurityV1PublicKeyProperty
)

// init tells each type how to write its own name, as package streams would.
func init() {
	typeName := func() vocab.JSONLDTypeProperty { return propertytype.NewJSONLDTypeProperty() }
	for _, set := range []func(func() vocab.JSONLDTypeProperty){
		typeaccept.SetTypePropertyConstructor,
		typeactivity.SetTypePropertyConstructor,
		typeadd.SetTypePropertyConstructor,
		typeannounce.SetTypePropertyConstructor,
		typeapplication.SetTypePropertyConstructor,
		typearticle.SetTypePropertyConstructor,
		typeaudio.SetTypePropertyConstructor,
		typeblock.SetTypePropertyConstructor,
		typecollection.SetTypePropertyConstructor,
		typecollectionpage.SetTypePropertyConstructor,
		typecreate.SetTypePropertyConstructor,
		typedelete.SetTypePropertyConstructor,
		typedislike.SetTypePropertyConstructor,
		typedocument.SetTypePropertyConstructor,
		typeevent.SetTypePropertyConstructor,
		typeflag.SetTypePropertyConstructor,
		typefollow.SetTypePropertyConstructor,
		typegroup.SetTypePropertyConstructor,
		typeimage.SetTypePropertyConstructor,
		typejoin.SetTypePropertyConstructor,
		typeleave.SetTypePropertyConstructor,
		typelike.SetTypePropertyConstructor,
		typelink.SetTypePropertyConstructor,
		typemention.SetTypePropertyConstructor,
		typemove.SetTypePropertyConstructor,
		typenote.SetTypePropertyConstructor,
		typeobject.SetTypePropertyConstructor,
		typeoffer.SetTypePropertyConstructor,
		typeorderedcollection.SetTypePropertyConstructor,
		typeorderedcollectionpage.SetTypePropertyConstructor,
		typeorganization.SetTypePropertyConstructor,
		typepage.SetTypePropertyConstructor,
		typeperson.SetTypePropertyConstructor,
		typeplace.SetTypePropertyConstructor,
		typepublickey.SetTypePropertyConstructor,
		typequestion.SetTypePropertyConstructor,
		typereject.SetTypePropertyConstructor,
		typerelationship.SetTypePropertyConstructor,
		typeremove.SetTypePropertyConstructor,
		typeservice.SetTypePropertyConstructor,
		typetentativeaccept.SetTypePropertyConstructor,
		typetombstone.SetTypePropertyConstructor,
		typeundo.SetTypePropertyConstructor,
		typeupdate.SetTypePropertyConstructor,
		typevideo.SetTypePropertyConstructor,
	} {
		set(typeName)
	}
}
