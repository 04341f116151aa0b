//! Questions that are asked before somebody enters ("ID checked, 21 or older?"), and answers.

use handfast_model::{CompanyId, EventId, QuestionId, Timestamp};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::attempt::Answers;
use crate::company::check_name;
use crate::judgement::Door;
use crate::ticket::TicketFacts;
use crate::{BoxOffice, BoxOfficeError, Result, event};

/// The longest answer: a sentence.
const ANSWER_LEN_MAX: usize = 200;
/// More questions than anybody asks at a gate.
const ANSWERS_MAX: usize = 16;
/// More choices than fit a screen.
const CHOICES_MAX: usize = 12;

handfast_store::text_enum! {
    /// How a question is answered.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum QuestionKind {
        /// Yes; "no" leaves it open.
        Confirm = "confirm",
        /// One of its choices.
        Choice = "choice",
        /// A line of text.
        Text = "text",
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Question {
    /// Its id.
    pub id: QuestionId,
    /// The product it is asked for; all where `None`.
    pub product: Option<String>,
    /// What is asked.
    pub text: String,
    /// How it is answered.
    pub kind: QuestionKind,
    /// What can be chosen.
    pub choices: Vec<String>,
    /// Whether nobody enters before it is answered.
    pub required: bool,
}

/// A question to be asked.
#[derive(Clone, Copy, Debug)]
pub struct NewQuestion<'a> {
    /// The product it is asked for; all where `None`.
    pub product: Option<&'a str>,
    /// What is asked.
    pub text: &'a str,
    /// How it is answered.
    pub kind: QuestionKind,
    /// What can be chosen.
    pub choices: &'a [&'a str],
    /// Whether nobody enters before it is answered.
    pub required: bool,
}

impl FromRow for Question {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let choices: String = row.get("choices")?;
        let choices = serde_json::from_str(&choices).map_err(|_| StoreError::Column {
            column: "choices".to_owned(),
            expected: "a list of texts",
        })?;
        Ok(Self {
            id: row.get("id")?,
            product: row.get("product")?,
            text: row.get("text")?,
            kind: row.get("kind")?,
            choices,
            required: row.get("required")?,
        })
    }
}

impl Question {
    /// Whether this is an answer.
    fn is_answered_by(&self, answer: &str) -> bool {
        match self.kind {
            QuestionKind::Confirm => answer == "yes",
            QuestionKind::Choice => self.choices.iter().any(|choice| choice == answer),
            QuestionKind::Text => !answer.is_empty(),
        }
    }
}

impl BoxOffice {
    /// Adds a question to an event.
    ///
    /// # Errors
    /// [`BoxOfficeError::Text`]; [`BoxOfficeError::Answer`] for a choice without choices;
    /// [`BoxOfficeError::Unknown`] for another company's event.
    pub async fn add_question(
        &self,
        company_id: CompanyId,
        event_id: EventId,
        new: &NewQuestion<'_>,
    ) -> Result<Question> {
        let choices: Result<Vec<String>> =
            new.choices.iter().map(|choice| check_name("a choice", choice)).collect();
        let choices = choices?;
        let wanted = new.kind == QuestionKind::Choice;
        if wanted == choices.is_empty() || choices.len() > CHOICES_MAX {
            return Err(BoxOfficeError::Answer { max: ANSWER_LEN_MAX });
        }
        let question = &Question {
            id: QuestionId::new(&*self.clock, &*self.random),
            product: new.product.map(str::to_owned),
            text: check_name("a question", new.text)?,
            kind: new.kind,
            choices,
            required: new.required,
        };
        let now = self.now();
        self.store
            .transaction("question.add", |tx| {
                Box::pin(async move {
                    event::find_own(tx, company_id, event_id).await?;
                    insert(tx, event_id, question, now).await?;
                    Ok(question.clone())
                })
            })
            .await
    }
}

/// Stores a question.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    event_id: EventId,
    question: &Question,
    now: Timestamp,
) -> Result<()> {
    let choices = serde_json::to_string(&question.choices);
    let choices = choices.map_err(|_| BoxOfficeError::Answer { max: ANSWER_LEN_MAX })?;
    tx.execute(
        "INSERT INTO questions (id, event_id, product, text, kind, choices, required, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            question.id,
            event_id,
            question.product,
            question.text,
            question.kind,
            choices,
            question.required,
            now
        ],
    )
    .await?;
    Ok(())
}

/// An event's questions, oldest first.
pub(crate) async fn of_event(tx: &mut Tx<'_>, event_id: EventId) -> Result<Vec<Question>> {
    let sql = "SELECT id, product, text, kind, choices, required FROM questions
               WHERE event_id = $1 ORDER BY id";
    Ok(tx.fetch_all(sql, params![event_id]).await?)
}

/// Answers that came with a request must be few and short.
pub(crate) fn check_answers(answers: &Answers) -> Result<()> {
    let short = |text: &str| text.len() <= ANSWER_LEN_MAX && !text.chars().any(char::is_control);
    if answers.len() <= ANSWERS_MAX && answers.iter().all(|(_, answer)| short(answer)) {
        return Ok(());
    }
    Err(BoxOfficeError::Answer { max: ANSWER_LEN_MAX })
}

/// Keeps those answers that answer a question of the ticket's event.
pub(crate) async fn keep(
    tx: &mut Tx<'_>,
    ticket: &TicketFacts,
    door: &Door,
    answers: &Answers,
    now: Timestamp,
) -> Result<()> {
    let asked = door.open_event(ticket.event_id).map(|event| event.questions.as_slice());
    let asked = asked.unwrap_or_default();
    for (id, answer) in answers {
        let question = asked.iter().find(|question| question.id == *id);
        if question.is_some_and(|question| question.is_answered_by(answer)) {
            let sql = "INSERT INTO answers (ticket_id, question_id, answer, at)
                       VALUES ($1, $2, $3, $4)
                       ON CONFLICT (ticket_id, question_id) DO UPDATE SET answer = $3, at = $4";
            tx.execute(sql, params![ticket.id, id, answer, now]).await?;
        }
    }
    Ok(())
}
