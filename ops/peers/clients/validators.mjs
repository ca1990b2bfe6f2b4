// The verdicts of the official validators, `@atproto/lexicon` and `@atproto/lex`, which both stop
// at the first rule that is broken. Lines of {id, definition, record} in, lines of
// {id, lexicon, lex, lenient} out; null stands for valid. `definition` is a record's NSID.
import fs from 'node:fs'
import path from 'node:path'
import { Lexicons, jsonToLex } from '@atproto/lexicon'
import { jsonToLex as parseStrict } from '@atproto/lex-json'

const [lexicons] = process.argv.slice(2)
const documents = fs
  .readdirSync(lexicons, { recursive: true })
  .filter((file) => file.endsWith('.json'))
  .map((file) => JSON.parse(fs.readFileSync(path.join(lexicons, file), 'utf8')))
const older = new Lexicons(documents)
const generated = await import('./generated/index.js')
const schemaOf = (nsid) => nsid.split('.').reduce((found, name) => found[name], generated)

function judgeOlder(nsid, record) {
  try {
    older.assertValidRecord(nsid, jsonToLex(record))
    return null
  } catch (problem) {
    return problem.message
  }
}

function judge(nsid, record, strict) {
  try {
    const found = schemaOf(nsid).$safeValidate(parseStrict(record, { strict }), { strict })
    return found.success ? null : found.reason.message
  } catch (problem) {
    return problem.message
  }
}

for (const line of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const { id, definition, record } = JSON.parse(line)
  const verdicts = {
    id,
    lexicon: judgeOlder(definition, record),
    lex: judge(definition, record, true),
    lenient: judge(definition, record, false),
  }
  process.stdout.write(`${JSON.stringify(verdicts)}\n`)
}
