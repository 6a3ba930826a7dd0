package batch

import (
	"encoding/json"
	"fmt"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
)

// lanesEach is how many lanes each worker has on Prism.
const lanesEach = 4

// pipeline has three steps per level: prepare, work and join. The ends of all levels
// before are a side input, which a runner has whole before the step begins, so that a job
// finds what it waits for.
//
// Prism hands all tasks of a step to one worker, and would share them out when it sees,
// later and later, that they take long: that is switched off. The work is a step for each
// of so many lanes in place of it, which Prism begins side by side, each with its share
// of the tasks. There are more lanes than workers, so that [slots] always finds the next
// task in order among those that wait. Elsewhere one lane is enough.
func (p Plan) pipeline(lanes int) (*beam.Pipeline, error) {
	pipeline, scope := beam.NewPipelineWithRoot()
	ends := []beam.PCollection{beam.CreateList(scope, []string{""})}
	for i, level := range p.Levels {
		s := scope.Scope(fmt.Sprintf("level %d", i+1))
		var elements []string
		for _, j := range level {
			text, err := json.Marshal(j)
			if err != nil {
				return nil, err
			}
			elements = append(elements, string(text))
		}
		// Without the Reshuffle the jobs would belong to one element, the list, and the
		// tasks to their jobs.
		jobs := beam.Reshuffle(s, beam.CreateList(s, elements))
		before := beam.Flatten(s, ends...)
		tasks := beam.Reshuffle(s, beam.ParDo(s, &prepare{p.Batch}, jobs, beam.SideInput{Input: before}))
		var all []beam.PCollection
		for lane := range lanes {
			all = append(all, beam.ParDo(s.Scope(fmt.Sprintf("lane %d", lane+1)), &work{p.Batch, lane, lanes}, tasks))
		}
		ends = append(ends, beam.ParDo(s, &join{p.Batch}, beam.GroupByKey(s, beam.Flatten(s, all...))))
	}
	return pipeline, nil
}
