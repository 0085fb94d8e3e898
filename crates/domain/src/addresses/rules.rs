//! The rules of countries, as data.
//!
//! Sources: country codes, ISO 3166-1 alpha-2 (the 249 officially assigned codes). Regions, ISO
//! 3166-2 of the four countries whose post asks for a code, and the post's codes for US forces.
//! Postal codes, `postalCodeData.xml` of the Unicode CLDR (common/supplemental), for those
//! countries whose form is still the one given there; a country that changed its form since, or
//! has several in use, has no rule here and any code is taken.

/// Assigned codes, sorted.
pub(super) const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR \
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ \
    EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW \
    GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY \
    KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV \
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY \
    QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG \
    TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM \
    ZW";

/// Countries whose addresses need a region, with its codes.
pub(super) const REGIONS: &[(&str, &str)] = &[
    ("AU", "ACT NSW NT QLD SA TAS VIC WA"),
    ("BR", "AC AL AM AP BA CE DF ES GO MA MG MS MT PA PB PE PI PR RJ RN RO RR RS SC SE SP TO"),
    ("CA", "AB BC MB NB NL NS NT NU ON PE QC SK YT"),
    (
        "US",
        "AA AE AK AL AP AR AS AZ CA CO CT DC DE FL GA GU HI IA ID IL IN KS KY LA MA MD ME MI MN \
         MO MP MS MT NC ND NE NH NJ NM NV NY OH OK OR PA PR RI SC SD TN TX UT VA VI VT WA WI WV \
         WY",
    ),
];

/// What postal codes of a country look like.
pub(super) struct PostalRule {
    /// Its code.
    pub(super) country: &'static str,
    /// `N` a digit, `A` a letter, all else itself.
    pub(super) forms: &'static [&'static str],
    /// Characters that a code may begin with; any if empty.
    pub(super) starts: &'static str,
    /// Characters that stand in no code.
    pub(super) never: &'static str,
}

const fn of(country: &'static str, forms: &'static [&'static str]) -> PostalRule {
    PostalRule { country, forms, starts: "", never: "" }
}

/// Rules, sorted by country.
pub(super) const POSTAL_RULES: &[PostalRule] = &[
    of("AT", &["NNNN"]),
    of("AU", &["NNNN"]),
    of("BE", &["NNNN"]),
    of("BG", &["NNNN"]),
    of("BR", &["NNNNN-NNN"]),
    PostalRule {
        country: "CA",
        forms: &["ANA NAN"],
        starts: "ABCEGHJKLMNPRSTVXY",
        never: "DFIOQU",
    },
    of("CH", &["NNNN"]),
    of("CN", &["NNNNNN"]),
    of("CY", &["NNNN"]),
    of("CZ", &["NNN NN"]),
    of("DE", &["NNNNN"]),
    of("DK", &["NNNN"]),
    of("EE", &["NNNNN"]),
    of("ES", &["NNNNN"]),
    of("FI", &["NNNNN"]),
    of("FR", &["NNNNN"]),
    of("GB", &["AN NAA", "ANN NAA", "ANA NAA", "AAN NAA", "AANN NAA", "AANA NAA", "GIR 0AA"]),
    of("GR", &["NNN NN"]),
    of("HR", &["NNNNN"]),
    of("HU", &["NNNN"]),
    of("ID", &["NNNNN"]),
    of("IN", &["NNNNNN"]),
    of("IS", &["NNN"]),
    of("IT", &["NNNNN"]),
    of("JP", &["NNN-NNNN"]),
    of("LI", &["948N", "949N"]),
    of("LU", &["NNNN"]),
    of("MC", &["980NN"]),
    of("MX", &["NNNNN"]),
    of("MY", &["NNNNN"]),
    of("NL", &["NNNN AA"]),
    of("NO", &["NNNN"]),
    of("NZ", &["NNNN"]),
    of("PH", &["NNNN"]),
    of("PL", &["NN-NNN"]),
    of("PT", &["NNNN-NNN"]),
    of("RO", &["NNNNNN"]),
    of("SE", &["NNN NN"]),
    of("SG", &["NNNNNN"]),
    of("SI", &["NNNN"]),
    of("SK", &["NNN NN"]),
    of("TH", &["NNNNN"]),
    of("TR", &["NNNNN"]),
    of("UA", &["NNNNN"]),
    of("US", &["NNNNN", "NNNNN-NNNN"]),
    of("ZA", &["NNNN"]),
];
