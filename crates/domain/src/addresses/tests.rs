//! Which addresses may be right.

use super::*;

fn draft(country: &str, region: &str, postal_code: &str) -> Draft {
    Draft {
        lines: ["1 High Street".to_owned(), String::new(), String::new()],
        city: " Springfield ".to_owned(),
        region: region.to_owned(),
        country: country.to_owned(),
        postal_code: postal_code.to_owned(),
        ..Draft::default()
    }
}

fn told(draft: &Draft) -> String {
    match check_address(draft) {
        Ok(address) => format!("{} {} {}", address.country, address.region, address.postal_code),
        Err(wrong) => wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}

#[test]
fn countries_are_the_assigned_codes() {
    let codes: Vec<_> = COUNTRIES.split_whitespace().collect();
    assert_eq!(codes.len(), 249);
    assert!(codes.is_sorted_by(|a, b| a < b));
    for code in codes {
        assert_eq!(Country::parse(&code.to_lowercase()).unwrap().code(), code);
    }
    for wrong in ["", "XX", "UK", "EU", "USA", "U", "Ü", "AN", "CS", "YU"] {
        let told = Country::parse(wrong).unwrap_err().to_string();
        assert_eq!(told, format!("country: `{wrong}` is no two-letter code of ISO 3166-1"));
    }
}

#[test]
fn tables_are_sorted_and_name_countries() {
    let rules: Vec<_> = POSTAL_RULES.iter().map(|rule| rule.country).collect();
    let regions: Vec<_> = REGIONS.iter().map(|(country, _)| *country).collect();
    for countries in [rules, regions] {
        assert!(countries.is_sorted_by(|a, b| a < b));
        countries.iter().for_each(|code| assert_eq!(Country::parse(code).unwrap().code(), *code));
    }
    let count = |country: &str| {
        let (_, codes) = REGIONS.iter().find(|(code, _)| *code == country).unwrap();
        assert!(codes.split_whitespace().is_sorted_by(|a, b| a < b), "{country}");
        codes.split_whitespace().count()
    };
    assert_eq!(count("AU"), 8); // 6 states, 2 territories
    assert_eq!(count("BR"), 27); // 26 states, the federal district
    assert_eq!(count("CA"), 13); // 10 provinces, 3 territories
    assert_eq!(count("US"), 59); // 50 states, DC, 5 territories, 3 of the forces
}

#[test]
fn a_postal_code_has_its_countrys_form() {
    let check = |country: &str, code: &str, expected: Option<&str>| {
        let found = postal_code_of(Country::parse(country).unwrap(), code);
        assert_eq!(found.as_deref().ok(), expected, "{country} {code}");
    };
    check("US", "98052", Some("98052"));
    check("US", "98052-6399", Some("98052-6399"));
    check("US", "980526399", Some("98052-6399"));
    check("US", "98052 6399", Some("98052-6399"));
    check("US", "9805", None);
    check("US", "98052-639", None);
    check("US", "9-8052", None);
    check("US", "", None);
    check("CA", "K1A 0B1", Some("K1A 0B1"));
    check("CA", "k1a0b1", Some("K1A 0B1"));
    check("CA", "W1A 0B1", None); // none begins with W
    check("CA", "K1O 0B1", None); // none has an O
    check("GB", "sw1a1aa", Some("SW1A 1AA"));
    check("GB", "M1 1AE", Some("M1 1AE"));
    check("GB", "GIR 0AA", Some("GIR 0AA"));
    check("GB", "SW1A 11A", None);
    check("NL", "1012ab", Some("1012 AB"));
    check("NL", "1012", None);
    check("PL", "00001", Some("00-001"));
    check("PT", "1000-001", Some("1000-001"));
    check("SE", "11122", Some("111 22"));
    check("JP", "1000001", Some("100-0001"));
    check("BR", "01001000", Some("01001-000"));
    check("IN", "110001", Some("110001"));
    check("LI", "9490", Some("9490"));
    check("LI", "9390", None);
    check("DE", "10115", Some("10115"));
    check("DE", "1O115", None);
    check("DE", "１０１１５", None); // digits of another script
    // without a rule
    check("HK", "", Some(""));
    check("IE", "D02 X285", Some("D02 X285"));
    check("AE", "0123456789ABCDEF", Some("0123456789ABCDEF"));
    check("AE", "0123456789ABCDEF0", None);
}

#[test]
fn a_region_is_a_code_where_the_country_has_them() {
    let check = |country: &str, region: &str, postal_code: &str, expected: &str| {
        assert_eq!(told(&draft(country, region, postal_code)), expected);
    };
    check("us", "wa", "98052", "US WA 98052");
    check("US", "DC", "20001", "US DC 20001");
    check("DE", "Bayern", "80331", "DE Bayern 80331");
    check("DE", "", "80331", "DE  80331");
    let states = "ACT NSW NT QLD SA TAS VIC WA";
    check("AU", "", "2000", &format!("region: must not be empty; AU has {states}"));
    check("AU", "XX", "2000", &format!("region: `XX` is no region of AU, which has {states}"));
}

#[test]
fn every_wrong_field_is_named() {
    let mut wrong = draft("DE", "", "1");
    wrong.lines[0] = "  ".to_owned();
    wrong.city = "a\nb".to_owned();
    wrong.company_name = "x".repeat(201);
    let code = "`1` is no postal code of DE: NNNNN, N a digit and A a letter";
    assert_eq!(
        told(&wrong),
        format!(
            "company_name: is longer than 200 characters; lines[0]: must not be empty; \
             city: must not hold control characters; postal_code: {code}"
        )
    );
    assert_eq!(check_address(&draft("DE", "", "10115")).unwrap().city, "Springfield");
    let unknown = "country: `ZZ` is no two-letter code of ISO 3166-1";
    assert_eq!(told(&draft("ZZ", "", "")), unknown);
}
