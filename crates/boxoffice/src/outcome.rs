//! The words of a verdict: outcome, reason, method.

handfast_store::text_enum! {
    /// The answer at the door, in the words of pretix's check-in.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Outcome {
        /// Pass.
        Ok = "ok",
        /// The ticket has entered.
        AlreadyRedeemed = "already_redeemed",
        /// Its order is not paid.
        Unpaid = "unpaid",
        /// Its order waits for approval.
        Unapproved = "unapproved",
        /// It or its order is cancelled.
        Cancelled = "cancelled",
        /// Its product does not enter at this lane.
        Product = "product",
        /// A rule says no: too early, too late, the list's rule, an event without biometrics.
        Rules = "rules",
        /// The ticket's own times say no.
        InvalidTime = "invalid_time",
        /// It was withdrawn.
        Revoked = "revoked",
        /// It is held back.
        Blocked = "blocked",
        /// There is no such ticket here.
        Invalid = "invalid",
        /// It could be several: nobody is chosen.
        Ambiguous = "ambiguous",
        /// A question is open: how many people, or one of the event's.
        Incomplete = "incomplete",
        /// It was allowed, and taken back since.
        Annulled = "annulled",
    }
}

handfast_store::text_enum! {
    /// Why an attempt was refused, finer than the outcome.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Reason {
        /// A code of something else.
        NotATicketCode = "not_a_ticket_code",
        /// A damaged code of ours.
        DamagedCode = "damaged_code",
        /// A code whose check digits do not fit.
        MistypedCode = "mistyped_code",
        /// A well-formed code that no ticket here has.
        UnknownCode = "unknown_code",
        /// A signed code whose signature does not fit: damaged, or not made by us.
        BadSignature = "bad_signature",
        /// A rotating code that was right some minutes ago: a photograph.
        OldRotatingCode = "old_rotating_code",
        /// A rotating code that never was right.
        WrongRotatingCode = "wrong_rotating_code",
        /// This ticket enters by its rotating code only.
        RotatingCodeNeeded = "rotating_code_needed",
        /// A ticket for another event of this venue.
        OtherEvent = "other_event",
        /// A ticket for another venue of this company.
        OtherVenue = "other_venue",
        /// The doors are not open yet.
        TooEarly = "too_early",
        /// The event is over.
        EventOver = "event_over",
        /// The ticket's own times begin later.
        NotYetValid = "not_yet_valid",
        /// The ticket's own times have ended.
        NoLongerValid = "no_longer_valid",
        /// The product enters at other lanes.
        ProductElsewhere = "product_elsewhere",
        /// No check-in list of the event serves this gate.
        NoListAtGate = "no_list_at_gate",
        /// The order is to be paid first.
        OrderUnpaid = "order_unpaid",
        /// The order is to be approved first.
        OrderUnapproved = "order_unapproved",
        /// The ticket or its order was cancelled.
        TicketCancelled = "ticket_cancelled",
        /// The ticket was withdrawn.
        Withdrawn = "withdrawn",
        /// The ticket is held back.
        HeldBack = "held_back",
        /// The ticket has entered; the verdict says when and where.
        EnteredBefore = "entered_before",
        /// Somebody is inside on the ticket.
        InsideAlready = "inside_already",
        /// The ticket entered only minutes ago.
        EnteredJustNow = "entered_just_now",
        /// The check-in list's rule does not hold.
        RuleSaysNo = "rule_says_no",
        /// A question has to be answered first.
        QuestionOpen = "question_open",
        /// The ticket is for several people: how many pass now?
        ChoosePeople = "choose_people",
        /// Several add-ons of the ticket fit.
        SeveralAddons = "several_addons",
        /// The palm belongs to nobody armed here.
        NotRecognised = "not_recognised",
        /// The palm resembles several.
        SeveralPalms = "several_palms",
        /// The palm is linked, but to no ticket for here and now.
        NoTicket = "no_ticket",
        /// Nothing biometric runs at this event.
        NoBiometrics = "no_biometrics",
        /// Fewer tickets are left than people were to enter.
        FewerAvailable = "fewer_available",
        /// The passage was allowed and annulled since: scan afresh.
        TakenBack = "taken_back",
    }
}

handfast_store::text_enum! {
    /// How somebody presented themselves.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Method {
        /// By palm.
        Palm = "palm",
        /// By a ticket's code.
        Code = "code",
        /// By name or order: staff found the ticket.
        Staff = "staff",
    }
}
