/**
 * Remembers what a question about an object comes to, as long as the object is there: rules ask the same of a cluster, a Kustomization or a
 * manifest, none of which changes once it is read.
 */
export function once<Subject extends object, Answer>(
  answer: (subject: Subject) => Answer,
): (subject: Subject) => Answer {
  const known = new WeakMap<Subject, { is: Answer }>()
  return (subject) => {
    const earlier = known.get(subject)
    if (earlier) return earlier.is
    const is = answer(subject)
    known.set(subject, { is })
    return is
  }
}
