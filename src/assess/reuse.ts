import type { ParameterValue, ParameterValues } from '../facts/control.ts';
import type { Day } from '../facts/date.ts';
import type { Acceptance, Agreement } from '../rules/agreement.ts';
import type { AnalystRelation, Crosswalk, End, Relation, Row } from '../rules/crosswalk.ts';
import { composed, inverse, nameOf } from '../rules/crosswalk.ts';
import { covers } from '../rules/framework.ts';
import type { Law } from '../rules/law.ts';
import type { Rule } from '../rules/rule.ts';
import type { Moment } from '../rules/time.ts';
import { intervalAt, nextInterval, takesEffect } from '../rules/time.ts';
import { meets } from './demand.ts';

/** What somebody asks about: a control, a rule, or one reference of a framework. */
export type Subject = Extract<End, { readonly kind: 'control' | 'rule' | 'reference' }>;

/** A control whose evidence serves the subject: the subject itself, what the law names, or what crosswalks lead to. */
export interface Support {
  readonly control: string;
  readonly basis: 'itself' | 'asked' | 'mapped' | 'through';
  readonly extent: Extent;
  /** The concept in the middle, where control and subject meet only there. */
  readonly via?: End;
}

type Extent = 'wholly' | 'in-part';

/** A parameter that another duty asks for beyond what the subject asks. */
export interface LeftOver {
  readonly parameter: string;
  readonly asked: ParameterValue;
  readonly here?: ParameterValue;
}

/** Something else that the evidence of a control serves. */
export interface Service {
  readonly control: string;
  readonly end: End;
  readonly extent: Extent;
  readonly leftOver: readonly LeftOver[];
  /** Controls that tables name for the same end besides this one: what it asks that this evidence does not show. */
  readonly besides: readonly string[];
  /** Of a rule only. */
  readonly timing?: Timing;
  readonly basis:
    | { readonly kind: 'asked'; readonly rule: Rule }
    | { readonly kind: 'mapped'; readonly crosswalk: Crosswalk; readonly row: Row };
}

/** Whether a duty counts today. */
interface Timing {
  readonly kind: 'now' | 'later' | 'bill' | 'stayed';
  readonly from?: Day;
}

/** What a crosswalk sets beside the subject. */
export interface Neighbour {
  readonly crosswalk: Crosswalk;
  readonly row: Row;
  /** The end that lies next to the subject, or the ends that stand in one cell and relate only together. */
  readonly ends: readonly End[];
  /** How the subject stands to them; null where nobody says. */
  readonly relation: Relation | null;
  readonly analyst?: AnalystRelation;
  /** The concept in the middle, where the two meet only there. */
  readonly via?: End;
}

/** An act by which one place accepts what was done under the law of another. */
interface Accepted {
  readonly agreement: Agreement;
  readonly acceptance: Acceptance;
}

export interface ReuseAnswer {
  readonly subject: Subject;
  readonly supports: readonly Support[];
  readonly services: readonly Service[];
  readonly neighbours: readonly Neighbour[];
  readonly accepted: readonly Accepted[];
}

/** The tables that an answer draws on. */
export interface ReuseTables {
  readonly law: Pick<Law, 'controls' | 'rules' | 'rulebooks' | 'jurisdictions'>;
  readonly crosswalks: ReadonlyMap<string, Crosswalk>;
  readonly agreements: ReadonlyMap<string, Agreement>;
}

/**
 * Which other duties the evidence for a subject serves, and what is left over.
 *
 * The evidence is that of the control behind the subject: the one a rule asks for, or those that crosswalks map to it.
 * A duty that names the same control is served wholly when the parameters of the subject meet all of its parameters.
 * A control by itself, or a reference of a framework, sets no parameters, so that all of them are left over.
 */
export function reuseOf(tables: ReuseTables, subject: Subject, moment: Moment): ReuseAnswer {
  const direct = neighboursOf(tables, subject);
  const mapped = supportsOf(tables, subject);
  const supports = mapped.length > 0 ? mapped : supportsThrough(tables, direct);
  const parameters = demandOf(tables.law.rules.get(nameOf(subject)))?.parameters ?? {};
  const asked = supports.filter(({ basis }) => basis === 'itself' || basis === 'asked');
  const leading = asked.length > 0 ? asked : supports;
  const services = leading.flatMap(({ control }) => servicesOf(tables, control, parameters, moment, subject));
  return {
    subject,
    supports,
    services,
    neighbours: [...direct, ...throughHubs(tables, subject, direct)],
    accepted: leading.flatMap(({ control }) => acceptedFor(tables, control, subject)),
  };
}

/** The control that a rule asks for, with its parameters. */
function demandOf(
  rule: Rule | undefined,
): { readonly control: string; readonly parameters: ParameterValues } | undefined {
  const effect = rule?.effect;
  if ((effect?.kind !== 'require' && effect?.kind !== 'grant') || effect.control === undefined)
    return undefined;
  return { control: effect.control, parameters: effect.parameters };
}

/** True when a row that leads to `end` speaks of the subject, of a part of it or of a whole that it belongs to. */
function touches(subject: End, end: End): boolean {
  if (subject.kind === 'reference' && end.kind === 'reference')
    return (
      subject.framework === end.framework && (covers(subject.ref, end.ref) || covers(end.ref, subject.ref))
    );
  return subject.kind === end.kind && nameOf(subject) === nameOf(end);
}

function supportsOf({ law, crosswalks }: ReuseTables, subject: Subject): readonly Support[] {
  if (subject.kind === 'control') return [{ control: subject.id, basis: 'itself', extent: 'wholly' }];
  const asked = demandOf(law.rules.get(nameOf(subject)))?.control;
  const found = new Map<string, Support>();
  if (asked !== undefined) found.set(asked, { control: asked, basis: 'asked', extent: 'wholly' });
  for (const { rows } of crosswalks.values()) {
    for (const { from, to, states } of rows) {
      if (from.kind !== 'control' || states.kind !== 'coverage') continue;
      for (const end of to) {
        if (!touches(subject, end)) continue;
        // A row to a part of the subject serves it in part; a row to a whole around it serves it as far as it serves that.
        const whole =
          states.coverage === 'full' &&
          coversAll(end, subject) &&
          (end.kind !== 'reference' || !claimsOn(crosswalks, end, from.id).full);
        const before = found.get(from.id);
        if (before === undefined || (before.basis === 'mapped' && before.extent === 'in-part'))
          found.set(from.id, { control: from.id, basis: 'mapped', extent: whole ? 'wholly' : 'in-part' });
      }
    }
  }
  return [...found.values()];
}

/** Controls that meet the subject only in a concept beside it: they serve it in part, at most. */
function supportsThrough(tables: ReuseTables, direct: readonly Neighbour[]): readonly Support[] {
  const found = new Map<string, Support>();
  for (const via of direct.flatMap(({ ends }) => ends)) {
    if (via.kind !== 'reference') continue;
    for (const { control } of supportsOf(tables, via))
      if (!found.has(control)) found.set(control, { control, basis: 'through', extent: 'in-part', via });
  }
  return [...found.values()];
}

function coversAll(end: End, subject: Subject): boolean {
  return end.kind !== 'reference' || subject.kind !== 'reference' || covers(end.ref, subject.ref);
}

function servicesOf(
  { law, crosswalks }: ReuseTables,
  control: string,
  here: ParameterValues,
  moment: Moment,
  subject: Subject,
): readonly Service[] {
  const asked = [...law.rules.values()].flatMap((rule): readonly Service[] => {
    const demand = demandOf(rule);
    const timing = demand?.control === control ? timingOf(rule, moment) : undefined;
    if (demand === undefined || timing === undefined || rule.id === nameOf(subject)) return [];
    const leftOver = leftOverOf(law, control, here, demand.parameters);
    return [
      {
        control,
        end: { kind: 'rule', id: rule.id },
        extent: leftOver.length === 0 ? 'wholly' : 'in-part',
        leftOver,
        besides: [],
        timing,
        basis: { kind: 'asked', rule },
      },
    ];
  });
  // A rule that names the control speaks for itself; a table about the same rule adds nothing.
  const named = new Set(asked.map(({ end }) => nameOf(end)));
  const mapped = [...crosswalks.values()].flatMap((crosswalk) =>
    crosswalk.rows.flatMap((row): readonly Service[] => {
      const { from, to, states } = row;
      if (from.kind !== 'control' || from.id !== control || states.kind !== 'coverage') return [];
      return to
        .filter((end) => !named.has(nameOf(end)) && nameOf(end) !== nameOf(subject))
        .flatMap((end): readonly Service[] => {
          const rule = end.kind === 'rule' ? law.rules.get(end.id) : undefined;
          const timing = rule === undefined ? undefined : timingOf(rule, moment);
          if (end.kind === 'rule' && timing === undefined) return [];
          const others = end.kind === 'reference' ? claimsOn(crosswalks, end, control) : NO_CLAIMS;
          const whole = states.coverage === 'full' && !others.full;
          return [
            {
              control,
              end,
              extent: whole ? 'wholly' : 'in-part',
              leftOver: [],
              besides: whole ? [] : others.controls,
              basis: { kind: 'mapped', crosswalk, row },
              ...(timing === undefined ? {} : { timing }),
            },
          ];
        });
    }),
  );
  return [...asked, ...mapped];
}

interface Claims {
  readonly controls: readonly string[];
  /** One of them claims the whole, as this one does: then each serves its own share. */
  readonly full: boolean;
}

const NO_CLAIMS: Claims = { controls: [], full: false };

/** The other controls that crosswalks lead to a reference. */
function claimsOn(crosswalks: ReuseTables['crosswalks'], end: End, but: string): Claims {
  const rows = [...crosswalks.values()].flatMap((crosswalk) =>
    crosswalk.rows.filter(
      ({ from, to }) =>
        from.kind === 'control' && from.id !== but && to.some((one) => nameOf(one) === nameOf(end)),
    ),
  );
  return {
    controls: [...new Set(rows.map(({ from }) => nameOf(from)))],
    full: rows.some(({ states }) => states.kind === 'coverage' && states.coverage === 'full'),
  };
}

/** How a rule stands on the day; undefined when it is over. */
function timingOf(rule: Rule, moment: Moment): Timing | undefined {
  const interval = intervalAt(rule, moment) ?? nextInterval(rule, moment);
  if (interval === undefined) return undefined;
  if (!takesEffect(interval.state)) return { kind: interval.state === 'bill' ? 'bill' : 'stayed' };
  return interval.from <= moment.asOf ? { kind: 'now' } : { kind: 'later', from: interval.from };
}

function leftOverOf(
  law: ReuseTables['law'],
  control: string,
  here: ParameterValues,
  asked: ParameterValues,
): readonly LeftOver[] {
  const definitions = law.controls.get(control)?.parameters;
  return Object.entries(asked).flatMap(([parameter, value]) => {
    const definition = definitions?.get(parameter);
    const inPlace = here[parameter];
    if (definition === undefined || (inPlace !== undefined && meets(definition, inPlace, value))) return [];
    return [{ parameter, asked: value, ...(inPlace === undefined ? {} : { here: inPlace }) }];
  });
}

/** The rows that name the subject on either side, coverage of controls apart. */
function neighboursOf({ crosswalks }: ReuseTables, subject: Subject): readonly Neighbour[] {
  return [...crosswalks.values()].flatMap((crosswalk) =>
    crosswalk.rows.flatMap((row): readonly Neighbour[] => {
      const { from, to, states } = row;
      if (states.kind !== 'relation') return [];
      const { relation, analyst } = states;
      if (touches(subject, from))
        return [{ crosswalk, row, ends: to, relation, ...(analyst === undefined ? {} : { analyst }) }];
      if (!to.some((end) => touches(subject, end))) return [];
      // What holds for several ends together holds for none of them alone.
      const alone = to.length === 1 ? inverse(relation) : null;
      const reading = analyst === undefined ? undefined : turned(analyst, subject, to);
      return [
        {
          crosswalk,
          row,
          ends: [from],
          relation: alone,
          ...(reading === undefined ? {} : { analyst: reading }),
        },
      ];
    }),
  );
}

function turned(analyst: AnalystRelation, subject: Subject, to: readonly End[]): AnalystRelation | undefined {
  const target = analyst.to ?? to;
  const relation = inverse(analyst.relation);
  if (target.length !== 1 || relation === null || !target.some((end) => touches(subject, end)))
    return undefined;
  const { rationale, by, on } = analyst;
  return { relation, rationale, by, on };
}

/** Ends that meet the subject only in the middle of two rows. Whatever the rows state, such ends overlap at most. */
function throughHubs(
  tables: ReuseTables,
  subject: Subject,
  direct: readonly Neighbour[],
): readonly Neighbour[] {
  const seen = new Set(direct.flatMap(({ ends }) => ends.map(nameOf)));
  return direct.flatMap((first) =>
    first.ends.flatMap((hub) => {
      if (hub.kind === 'provision') return [];
      return neighboursOf(tables, hub).flatMap((second): readonly Neighbour[] => {
        const ends = second.ends.filter((end) => !sameBody(subject, end) && !seen.has(nameOf(end)));
        for (const end of ends) seen.add(nameOf(end));
        if (ends.length === 0) return [];
        const { crosswalk, row } = second;
        return [{ crosswalk, row, ends, relation: composed(first.relation, second.relation), via: hub }];
      });
    }),
  );
}

function sameBody(subject: Subject, end: End): boolean {
  if (subject.kind === 'reference') return end.kind === 'reference' && end.framework === subject.framework;
  return subject.kind === end.kind;
}

/** Acts of recognition that bear on a control; for a rule, those by or of the place whose rule it is. */
function acceptedFor(
  { agreements, law }: ReuseTables,
  control: string,
  subject: Subject,
): readonly Accepted[] {
  const place = law.rulebooks.get(law.rules.get(nameOf(subject))?.rulebook ?? '')?.jurisdiction;
  return [...agreements.values()].flatMap((agreement) =>
    agreement.recognition
      .filter(({ serves }) => serves.includes(control))
      .filter(
        ({ by, of }) =>
          place === undefined || [...by, ...of].some((one) => law.jurisdictions.contains(one, place)),
      )
      .map((acceptance) => ({ agreement, acceptance })),
  );
}
