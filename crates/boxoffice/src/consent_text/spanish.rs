//! What people agree to, in Spanish.

use super::{ConsentText, PALM, PALM_AT_NODES_APART, PALM_AT_NODES_HERE, PAYMENT, PAYMENT_1};
use super::{Purpose, PurposeText};
use crate::Language::Spanish as LANGUAGE;

const TITLE: &str = "Vincula tu palma a tu entrada";
const CHOICE: &str = "Puedes entrar poniendo la palma sobre un aparato en lugar de enseñar un código. Tú decides: \
     tu código sigue sirviendo, con palma o sin ella, al mismo precio.";
const OWN_PALM: &str = "Vincula solo tu propia palma.";
const SHARES: &str = "Qué se guarda: tres partes de un patrón de números calculado a partir de tu palma. Una parte \
     sola son números al azar; dos de ellas juntas devuelven el patrón. Las imágenes se usan unos \
     segundos y no se guardan nunca. Las partes se tratan como datos biométricos tuyos.";
const SHARES_UNTIL: &str = "Cuánto tiempo: hasta el final que elijas en las líneas siguientes, un año como máximo. \
     Después las partes se borran por sí solas.";
const SHARES_END: &str = "Cómo terminarlo: entra en tus entradas y elige \"borrar ahora\", o abre el enlace del correo \
     que te enviamos sobre esto. Las partes se borran de inmediato, o en cuanto se pueda llegar a \
     cada una de las tres. Puedes retirar tu consentimiento cuando quieras, sin dar motivos.";
const PURPOSES: &[PurposeText] = &[
    PurposeText {
        purpose: Purpose::DuplicateCheck,
        text: "Comprobar una vez, antes de guardarla, que tu palma no está ya vinculada con esta \
               empresa de venta de entradas. Si lo está, no se guarda nada.",
    },
    PurposeText {
        purpose: Purpose::Entry,
        text: "Reconocerte en los accesos de los eventos que elijas abajo, y solo mientras tengas \
               una entrada para alguno.",
    },
];

pub(super) static PALMS: [ConsentText; 3] = [
    ConsentText {
        version: PALM,
        language: LANGUAGE,
        title: TITLE,
        paragraphs: &[
            CHOICE,
            "Qué se guarda: un patrón de números calculado a partir de tu palma. Las imágenes se \
             usan unos segundos y no se guardan nunca. El patrón es un dato biométrico tuyo.",
            "Quién lo tiene: la empresa de venta de entradas que opera este sistema, en una sola \
             máquina que guarda el patrón cifrado en su disco. Mientras la máquina compara palmas \
             trabaja con el patrón mismo, así que quien controle esa máquina podría leerlo. El \
             recinto ve si una entrada puede pasar y un número al azar que no significa nada en \
             otro lugar; nunca tu palma.",
            "Cuánto tiempo: hasta el final que elijas en las líneas siguientes, un año como \
             máximo. Después el patrón se borra de la máquina por sí solo.",
            "Cómo terminarlo: entra en tus entradas y elige \"borrar ahora\", o abre el enlace \
             del correo que te enviamos sobre esto. El borrado tiene efecto inmediato. Puedes \
             retirar tu consentimiento cuando quieras, sin dar motivos.",
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
            "Quién lo tiene: la empresa de venta de entradas que opera este sistema. Tres \
             programas guardan una parte cada uno y comparan palmas sin juntar el patrón, pero \
             los tres funcionan en una sola máquina: quien controle esa máquina podría juntarlo y \
             leerlo. El recinto ve si una entrada puede pasar y un número al azar que no \
             significa nada en otro lugar; nunca tu palma.",
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
            "Quién lo tiene: tres organizaciones, ninguna de las cuales es la empresa de venta de \
             entradas. Cada una guarda una parte, y comparan palmas sin juntar el patrón. Ninguna \
             puede leerlo por sí sola; dos cualesquiera juntas podrían. Mientras pones la palma \
             sobre un aparato, el sistema de la empresa de venta de entradas calcula el patrón y \
             lo divide en partes, así que quien controle ese sistema en ese momento podría \
             leerlo. El recinto ve si una entrada puede pasar y un número al azar que no \
             significa nada en otro lugar; nunca tu palma.",
            SHARES_UNTIL,
            SHARES_END,
            OWN_PALM,
        ],
        purposes: PURPOSES,
    },
];

const PAYMENT_TITLE: &str = "Paga con tu palma";
const SHOP_FIRST: &str = "Si lo activas, puedes pagar en las tiendas del recinto poniendo tu palma vinculada sobre el \
     aparato de la tienda. El aparato enseña primero la tienda y el importe; solo después pide tu \
     palma.";
const OFF_AGAIN: &str =
    "Puedes desactivarlo aquí cuando quieras; tu palma seguirá sirviendo para entrar, si quieres.";

pub(super) static PAYMENTS: [ConsentText; 2] = [
    ConsentText {
        version: PAYMENT_1,
        language: LANGUAGE,
        title: PAYMENT_TITLE,
        paragraphs: &[
            SHOP_FIRST,
            "Para ello, la máquina que guarda tu patrón también lo compara cuando alguien paga en \
             una de estas tiendas. Cada tienda recibe un número al azar propio para ti, nunca tu \
             palma, y tu tarjeta la guarda el servicio de pago: ni nosotros ni la tienda vemos su \
             número.",
            OFF_AGAIN,
        ],
        purposes: &[PurposeText {
            purpose: Purpose::Payment,
            text: "Reconocerte en las tiendas de los recintos que cubre el vínculo de tu palma, y \
                   cobrar el importe mostrado con el medio de pago de tu monedero.",
        }],
    },
    ConsentText {
        version: PAYMENT,
        language: LANGUAGE,
        title: PAYMENT_TITLE,
        paragraphs: &[
            SHOP_FIRST,
            "Para ello, tu palma guardada también se compara cuando alguien paga en una de estas \
             tiendas. Cada tienda recibe un número al azar propio para ti, nunca tu palma, y tu \
             tarjeta la guarda el servicio de pago: ni nosotros ni la tienda vemos su número.",
            OFF_AGAIN,
        ],
        purposes: &[PurposeText {
            purpose: Purpose::Payment,
            text: "Reconocerte en las tiendas de los recintos que cubre el vínculo de tu palma, y \
                   cobrar el importe mostrado con el medio de pago de tu cartera.",
        }],
    },
];
