import type { Control, Rung } from '../facts/control.ts';
import { RUNGS } from '../facts/control.ts';
import type { Day } from '../facts/date.ts';
import type { DeclaredControl, Evidence } from '../facts/manifest.ts';

/** What can be checked about the thing that a piece of evidence refers to. */
export type Probed =
  | { readonly kind: 'file'; readonly sha256: string }
  | { readonly kind: 'absent' }
  /** Nobody here can check it: a query without a ledger, a signature without a key. */
  | { readonly kind: 'unchecked'; readonly why: string };

/** Looks at the thing itself; supplied by whoever has a file system, a ledger or keys. */
export type Probe = (evidence: Evidence) => Probed;

/** How strong the evidence for a control is on a day, and what weakens it. */
export interface Strength {
  readonly rung: Rung;
  readonly remarks: readonly string[];
}

/** Orders two rungs: negative when `a` is weaker. */
export function compareRungs(a: Rung, b: Rung): number {
  return RUNGS.indexOf(a) - RUNGS.indexOf(b);
}

/**
 * The strongest rung that the evidence of a declared control reaches on a day. The rung follows from what can be
 * checked, never from what the manifest calls it: a missing file, a wrong digest, a date to come or an expiry
 * passed leave it at `declared`.
 */
export function strengthOf(declared: DeclaredControl | undefined, asOf: Day, probe: Probe): Strength {
  if (declared === undefined) return { rung: 'none', remarks: [] };
  const judged = declared.evidence.map((evidence) => judge(evidence, asOf, probe));
  const best = judged.reduce<Rung>(
    (rung, other) => (compareRungs(other.rung, rung) > 0 ? other.rung : rung),
    'declared',
  );
  return { rung: best, remarks: judged.flatMap((one) => one.remark ?? []) };
}

function judge(
  evidence: Evidence,
  asOf: Day,
  probe: Probe,
): { readonly rung: Rung; readonly remark?: string } {
  const weak = (remark: string): { readonly rung: Rung; readonly remark: string } => ({
    rung: 'declared',
    remark: `${evidence.ref}: ${remark}`,
  });
  if (evidence.expires !== undefined && evidence.expires <= asOf)
    return weak(`expired on ${evidence.expires}`);
  if (evidence.on !== undefined && evidence.on > asOf)
    return weak(`dated ${evidence.on}, after the day of the check`);
  const found = probe(evidence);
  switch (found.kind) {
    case 'absent':
      return weak('not found');
    case 'unchecked':
      return weak(found.why);
    case 'file':
      if (evidence.sha256 !== undefined && evidence.sha256 !== found.sha256)
        return weak('its content is not the one named (SHA-256 differs)');
      // A file is a file: without a key or a ledger it proves no measurement and no signature.
      return { rung: evidence.kind === 'test' ? 'tested' : 'documented' };
  }
}

/** True when the strength suffices for the control. */
export function suffices(strength: Strength, control: Control): boolean {
  return compareRungs(strength.rung, control.sufficient) >= 0;
}
