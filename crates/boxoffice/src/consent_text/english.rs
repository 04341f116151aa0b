//! What people agree to, in English.

use super::{ConsentText, PALM, PALM_AT_NODES_APART, PALM_AT_NODES_HERE, PAYMENT, PAYMENT_1};
use super::{Purpose, PurposeText};
use crate::Language::English as LANGUAGE;

const TITLE: &str = "Link your palm to your ticket";
const CHOICE: &str = "You can enter by holding your palm over a device instead of showing a code. It is up to you: \
     your code goes on working, with or without a palm, at the same price.";
const OWN_PALM: &str = "Link your own palm only.";
const SHARES: &str = "What is stored: three shares of a pattern of numbers computed from your palm. One share \
     alone is random numbers; two of them together give the pattern back. The pictures are used \
     for some seconds and never stored. The shares are treated as biometric data about you.";
const SHARES_UNTIL: &str = "How long: until the end that you choose on the next lines, one year at most. Then the shares \
     are deleted by themselves.";
const SHARES_END: &str = "How to end it: sign in to your tickets and choose \"delete now\", or open the link in the \
     mail that we send you about this. The shares are deleted at once, or as soon as each of the \
     three can be reached. You can withdraw at any time and need no reason.";
const PURPOSES: &[PurposeText] = &[
    PurposeText {
        purpose: Purpose::DuplicateCheck,
        text: "Check once, before storing, that your palm is not linked with this ticketing \
               company already. If it is, nothing is stored.",
    },
    PurposeText {
        purpose: Purpose::Entry,
        text: "Recognise you at the entrances of the events you choose below, and only while you \
               hold a ticket for one.",
    },
];

pub(super) static PALMS: [ConsentText; 3] = [
    ConsentText {
        version: PALM,
        language: LANGUAGE,
        title: TITLE,
        paragraphs: &[
            CHOICE,
            "What is stored: a pattern of numbers computed from your palm. The pictures are used \
             for some seconds and never stored. The pattern is biometric data about you.",
            "Who holds it: the ticketing company that runs this system, on one vault machine that \
             keeps the pattern encrypted on its disk. While the machine compares palms it works \
             on the pattern itself, so whoever controls that machine could read it. The venue \
             sees whether a ticket may enter and a random number that means nothing elsewhere, \
             never your palm.",
            "How long: until the end that you choose on the next lines, one year at most. Then \
             the pattern is deleted from the machine by itself.",
            "How to end it: sign in to your tickets and choose \"delete now\", or open the link \
             in the mail that we send you about this. Deletion takes effect at once. You can \
             withdraw at any time and need no reason.",
            OWN_PALM,
        ],
        purposes: PURPOSES,
    },
    ConsentText {
        version: PALM_AT_NODES_HERE,
        language: LANGUAGE,
        title: TITLE,
        paragraphs: &[
            CHOICE,
            SHARES,
            "Who holds it: the ticketing company that runs this system. Three programs hold one \
             share each and compare palms without putting the pattern together, but all three run \
             on one machine: whoever controls that machine could put it together and read it. The \
             venue sees whether a ticket may enter and a random number that means nothing \
             elsewhere, never your palm.",
            SHARES_UNTIL,
            SHARES_END,
            OWN_PALM,
        ],
        purposes: PURPOSES,
    },
    ConsentText {
        version: PALM_AT_NODES_APART,
        language: LANGUAGE,
        title: TITLE,
        paragraphs: &[
            CHOICE,
            SHARES,
            "Who holds it: three organisations, none of which is the ticketing company. Each \
             holds one share, and they compare palms without putting the pattern together. None \
             of them can read it alone; any two of them together could. While you hold your palm \
             over a device, the ticketing company's system computes the pattern and divides it \
             into shares, so whoever controls that system at that moment could read it. The venue \
             sees whether a ticket may enter and a random number that means nothing elsewhere, \
             never your palm.",
            SHARES_UNTIL,
            SHARES_END,
            OWN_PALM,
        ],
        purposes: PURPOSES,
    },
];

const PAYMENT_TITLE: &str = "Pay with your palm";
const SHOP_FIRST: &str = "If you switch this on, you can pay at the venue's shops by holding your linked palm over the \
     shop's device. The device shows shop and amount first; only then it asks for your palm.";
const OFF_AGAIN: &str =
    "You can switch it off here at any time; your palm then goes on entering, if you want.";
const PAYMENT_PURPOSES: &[PurposeText] = &[PurposeText {
    purpose: Purpose::Payment,
    text: "Recognise you at the shops of the venues that your palm link covers, and charge the \
           payment method of your wallet with the amount shown.",
}];

pub(super) static PAYMENTS: [ConsentText; 2] = [
    ConsentText {
        version: PAYMENT_1,
        language: LANGUAGE,
        title: PAYMENT_TITLE,
        paragraphs: &[
            SHOP_FIRST,
            "For this your stored palm pattern is also compared by the vault machine when \
             somebody pays at one of these shops. Each shop gets a random number of its own for \
             you, never your palm, and the payment service keeps your card: neither we nor the \
             shop see its number.",
            OFF_AGAIN,
        ],
        purposes: PAYMENT_PURPOSES,
    },
    ConsentText {
        version: PAYMENT,
        language: LANGUAGE,
        title: PAYMENT_TITLE,
        paragraphs: &[
            SHOP_FIRST,
            "For this your stored palm is also compared when somebody pays at one of these shops. \
             Each shop gets a random number of its own for you, never your palm, and the payment \
             service keeps your card: neither we nor the shop see its number.",
            OFF_AGAIN,
        ],
        purposes: PAYMENT_PURPOSES,
    },
];
