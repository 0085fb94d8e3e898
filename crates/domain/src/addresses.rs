//! Postal addresses, checked without asking anybody.
//!
//! Refused is only what cannot be right: an unknown country, a region or postal code that the
//! country's own rule excludes. Whether anybody lives there is not known here.

mod rules;

use crate::Error;
use rules::{COUNTRIES, POSTAL_RULES, PostalRule, REGIONS};
use std::fmt;

/// Characters of one line of an address, at most.
const LINE_MOST: usize = 200;
/// Characters of a postal code of a country without a rule, at most.
const POSTAL_CODE_MOST: usize = 16;

/// A country, by its two-letter code of ISO 3166-1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// Finds a country by its code, in any letter case.
    ///
    /// Errors: [`Error::Invalid`] for a code that is not assigned.
    pub fn parse(code: &str) -> crate::Result<Country> {
        let upper = code.trim().to_ascii_uppercase();
        let known = COUNTRIES.split_whitespace().any(|known| known == upper);
        let bytes = <[u8; 2]>::try_from(upper.as_bytes()).ok().filter(|_| known);
        bytes.map(Country).ok_or_else(|| {
            let shown: String = code.chars().take(16).collect();
            Error::invalid("country", format!("`{shown}` is no two-letter code of ISO 3166-1"))
        })
    }

    /// The code, upper case.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An address as somebody wrote it: nothing is known of it yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Given name; may be empty.
    pub first_name: String,
    /// Family name; may be empty.
    pub last_name: String,
    /// Company; may be empty.
    pub company_name: String,
    /// Street and the like: the first must not be empty.
    pub lines: [String; 3],
    /// Town; must not be empty.
    pub city: String,
    /// State or province: its code where the country has a rule, else free and may be empty.
    pub region: String,
    /// Two-letter country code.
    pub country: String,
    /// As the country's rule wants it; free and may be empty where there is none.
    pub postal_code: String,
}

/// An address that may be right: trimmed, region and postal code as the country writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// See [`Draft::first_name`].
    pub first_name: String,
    /// See [`Draft::last_name`].
    pub last_name: String,
    /// See [`Draft::company_name`].
    pub company_name: String,
    /// See [`Draft::lines`].
    pub lines: [String; 3],
    /// See [`Draft::city`].
    pub city: String,
    /// See [`Draft::region`].
    pub region: String,
    /// Where it lies.
    pub country: Country,
    /// See [`Draft::postal_code`].
    pub postal_code: String,
}

/// Checks an address and brings it into its country's form.
///
/// Errors: [`Error::Invalid`] for each wrong field, in the order of the fields.
/// Source: the rules and their sources stand in `addresses/rules.rs`.
pub fn check_address(draft: &Draft) -> Result<Address, Vec<Error>> {
    let mut wrong = Vec::new();
    let Draft { first_name, last_name, company_name, lines, city, region, country, postal_code } =
        draft;
    let mut text = |field: &str, text: &str, must: Must| {
        line(field, text, must).unwrap_or_else(|error| {
            wrong.push(error);
            String::new()
        })
    };
    let first_name = text("first_name", first_name, Must::MayBeEmpty);
    let last_name = text("last_name", last_name, Must::MayBeEmpty);
    let company_name = text("company_name", company_name, Must::MayBeEmpty);
    let [one, two, three] = lines;
    let lines = [
        text("lines[0]", one, Must::BeFilled),
        text("lines[1]", two, Must::MayBeEmpty),
        text("lines[2]", three, Must::MayBeEmpty),
    ];
    let city = text("city", city, Must::BeFilled);
    let region = text("region", region, Must::MayBeEmpty);
    let postal_code = text("postal_code", postal_code, Must::MayBeEmpty);
    let country = match Country::parse(country) {
        Ok(country) => country,
        Err(error) => {
            wrong.push(error);
            return Err(wrong);
        }
    };
    let region = region_of(country, &region).unwrap_or_else(|error| {
        wrong.push(error);
        String::new()
    });
    match postal_code_of(country, &postal_code) {
        Ok(postal_code) if wrong.is_empty() => Ok(Address {
            first_name,
            last_name,
            company_name,
            lines,
            city,
            region,
            country,
            postal_code,
        }),
        Ok(_) => Err(wrong),
        Err(error) => {
            wrong.push(error);
            Err(wrong)
        }
    }
}

enum Must {
    BeFilled,
    MayBeEmpty,
}

/// Trims one line and looks at its length.
fn line(field: &str, text: &str, must: Must) -> Result<String, Error> {
    let text = text.trim();
    let problem = match must {
        Must::BeFilled if text.is_empty() => "must not be empty".to_owned(),
        Must::BeFilled | Must::MayBeEmpty if text.chars().any(char::is_control) => {
            "must not hold control characters".to_owned()
        }
        Must::BeFilled | Must::MayBeEmpty if text.chars().count() > LINE_MOST => {
            format!("is longer than {LINE_MOST} characters")
        }
        Must::BeFilled | Must::MayBeEmpty => return Ok(text.to_owned()),
    };
    Err(Error::invalid(field, problem))
}

/// The region as the country's table spells it; as it is where there is no table.
fn region_of(country: Country, region: &str) -> Result<String, Error> {
    let Some((_, codes)) = REGIONS.iter().find(|(code, _)| *code == country.code()) else {
        return Ok(region.to_owned());
    };
    let upper = region.to_uppercase();
    if codes.split_whitespace().any(|code| code == upper) {
        return Ok(upper);
    }
    let problem = if region.is_empty() {
        format!("must not be empty; {country} has {codes}")
    } else {
        format!("`{region}` is no region of {country}, which has {codes}")
    };
    Err(Error::invalid("region", problem))
}

/// The postal code in one of the country's forms; as it is where there is no rule.
fn postal_code_of(country: Country, postal_code: &str) -> Result<String, Error> {
    let upper = postal_code.to_uppercase();
    let Some(rule) = POSTAL_RULES.iter().find(|rule| rule.country == country.code()) else {
        if postal_code.chars().count() > POSTAL_CODE_MOST {
            let problem = format!("is longer than {POSTAL_CODE_MOST} characters");
            return Err(Error::invalid("postal_code", problem));
        }
        return Ok(postal_code.to_owned());
    };
    let PostalRule { country: _, forms, starts, never } = rule;
    let may_start = starts.is_empty() || upper.chars().next().is_some_and(|c| starts.contains(c));
    let has_no_wrong = !upper.chars().any(|c| never.contains(c));
    let fitting = forms.iter().find_map(|form| in_form(form, &upper));
    fitting.filter(|_| may_start && has_no_wrong).ok_or_else(|| {
        let forms = forms.join(" or ");
        let problem = format!(
            "`{postal_code}` is no postal code of {country}: {forms}, N a digit and A a letter"
        );
        Error::invalid("postal_code", problem)
    })
}

/// Reads a code in a form: `N` stands for a digit, `A` for a letter, all else for itself. A blank
/// or hyphen of the form may be left out or stand for the other; the answer has it as in the form.
fn in_form(form: &str, code: &str) -> Option<String> {
    let mut given = code.chars().peekable();
    let mut written = String::with_capacity(form.len());
    for wanted in form.chars() {
        if wanted == ' ' || wanted == '-' {
            let _ = given.next_if(|c| *c == ' ' || *c == '-');
            written.push(wanted);
            continue;
        }
        let next = given.next()?;
        let fits = match wanted {
            'N' => next.is_ascii_digit(),
            'A' => next.is_ascii_uppercase(),
            literal => literal == next,
        };
        fits.then(|| written.push(next))?;
    }
    given.next().is_none().then_some(written)
}

#[cfg(test)]
mod tests;
