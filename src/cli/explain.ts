import { gather } from '../facts/knowledge.ts';
import { InputError } from '../facts/problem.ts';
import { didYouMean } from '../facts/suggest.ts';
import { Interpreter } from '../rules/interpreter.ts';
import type { Law } from '../rules/law.ts';
import { openFacts, prove } from '../rules/proof.ts';
import type { Rule } from '../rules/rule.ts';
import { matches } from '../rules/rule.ts';
import type { Arguments, Command, ExitCode, Io } from './command.ts';
import { EXIT } from './command.ts';
import { findManifests, lawOf, momentOf, QUESTION_OPTIONS, readManifests } from './input.ts';
import { proofReport } from './report.ts';
import { paint, row } from './style.ts';
import { printProof, printRuleHead } from './tree.ts';

export const command: Command = {
  name: 'explain',
  summary: 'why a rule holds, does not, or is open, as a proof',
  usage: 'explain <rule> [manifest] [options]',
  details: 'The rule may be an id (eu/ai-act:art-5-1-f), the part after the colon, or a group ending in *.',
  options: {
    ...QUESTION_OPTIONS,
    format: { type: 'string', value: 'table|json', help: 'how to print (default table)' },
  },
  examples: [
    'comity explain eu/ai-act:annex-iii.4.a examples/cv-screener/comity.yaml --as-of 2027-12-02',
    'comity explain art-5-1-f examples/voice-coach',
  ],
  run,
};

const WORDS = { true: 'holds', false: 'does not hold', unknown: 'is open' } as const;

function run(args: Arguments, io: Io): ExitCode {
  const [name, ...paths] = args.positionals;
  if (name === undefined)
    throw new InputError([
      { code: 'usage', message: 'which rule?', help: '`comity check` prints the ids in brackets' },
    ]);
  const loaded = lawOf(args);
  const moment = momentOf(args);
  const rules = rulesNamed(loaded.law, name);
  const manifests = readManifests(findManifests(paths), loaded);
  const proofs = manifests.flatMap((manifest) => {
    const asked = args.texts('market');
    return (asked.length > 0 ? asked : manifest.markets).flatMap((market) => {
      const chain = loaded.law.jurisdictions.chain(market);
      const here = rules.filter((rule) =>
        chain.includes(loaded.law.rulebooks.get(rule.rulebook)?.jurisdiction ?? ''),
      );
      const { knowledge } = gather(
        loaded.law.vocabulary,
        loaded.law.jurisdictions,
        market,
        manifest.statements(market),
      );
      const interpreter = new Interpreter({ law: loaded.law, moment, knowledge });
      return here.map((rule) => ({ manifest, market, proof: prove(interpreter, rule) }));
    });
  });
  if (proofs.length === 0) {
    throw new InputError([
      {
        code: 'usage',
        message: `\`${name}\` is not law in any market of ${manifests.map((manifest) => `\`${manifest.file}\``).join(', ')}`,
        help: 'add `--market` with a market where it is',
      },
    ]);
  }
  if (args.text('format') === 'json') {
    io.out(
      `${JSON.stringify({ format: 'comity.explain/1', ruleset: loaded.digest, as_of: moment.asOf, known_at: moment.knownAt, proofs: proofs.map(({ manifest, market, proof }) => ({ name: manifest.name, file: manifest.file, market, proof: proofReport(loaded.law, proof) })) }, undefined, 2)}\n`,
    );
    return EXIT.clean;
  }
  proofs.forEach(({ manifest, market, proof }, i) => {
    if (i > 0) io.out('\n');
    printRuleHead(loaded.law, proof, io);
    io.out(
      `\n${paint(io, 'bold', WORDS[proof.truth])} for ${manifest.name} in ${market}, as of ${moment.asOf}\n`,
    );
    printProof(loaded.law, proof, io);
    const open = proof.truth === 'unknown' ? [...openFacts(proof)] : [];
    for (const id of open)
      io.out(
        row(io, [['open  ', 6]], `${loaded.law.vocabulary.facts.get(id)?.question ?? id} [${id}]`, [
          'yellow',
        ]),
      );
  });
  return EXIT.clean;
}

/** Rules by full id, by the part after the colon, or by group. */
function rulesNamed(law: Law, name: string): readonly Rule[] {
  const all = [...law.rules.values()];
  const found = all.filter(
    (rule) => matches(name, rule.id) || matches(name, rule.id.slice(rule.id.indexOf(':') + 1)),
  );
  if (found.length > 0) return found;
  const names = name.includes(':')
    ? all.map((rule) => rule.id)
    : all.map((rule) => rule.id.slice(rule.id.indexOf(':') + 1));
  throw new InputError([
    { code: 'unknown-name', message: `unknown rule \`${name}\``, help: didYouMean(name, names) },
  ]);
}
