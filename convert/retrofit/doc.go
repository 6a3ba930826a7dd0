// Package retrofit keeps a trained model's quality when its rotation changes.
//
// Select chooses which planes stop turning, per layer and key/value head, by
// what each of them costs in attention, and as many as an end-to-end budget
// allows. Calibrate refits a layer's W_q and W_k, so that its attention with
// the new rotation is the source layer's own again. They compose.
//
// Both read the source's own activations on a text. With h the normed input of
// a layer at positions 0…S−1, and q, k the projections of h after their biases
// and per-head norms, the scores of query head n, which reads key/value head g,
// are
//
//	s_tj = scale·<R_t q_t, R_j k_j> − β_n (t − j),   j <= t
//
// R the layer's rotation (posenc.Rotary) and β the slopes of a bias, if any.
//
// # Cost of a plane
//
// With z, y the two coordinates of q_t and k_j in plane p, Δ = t − j and γ the
// attention factor,
//
//	δ_tj = scale·γ²·[z·y − (z·y cos θ_pΔ + (z1 y2 − z2 y1) sin θ_pΔ)]
//
// is what the score gains when θ_p becomes 0, and the cost of the plane is
// KL(softmax(s_t) ‖ softmax(s_t + δ_t)), exact, its mean over the query rows
// and the query heads of g.
//
// # Calibration
//
// With a the source's attention rows and b the student's, the loss is the mean
// KL(a ‖ b) over rows and query heads. Its gradient is G = (b − a)/(heads·rows)
// in the scores, dQ' = scale·G K' and dK' = scale·Gᵀ Q' in the turned queries
// and keys (summed over the query heads of g), turned back by the transposed
// rotation, taken back through the per-head norms, and dW_q = dQᵀ h[rows],
// dW_k = dKᵀ h. Adam, per step one sequence and a draw of query rows, and of long
// sequences of keys: one that is there with chance π adds −log π to its scores in both
// layers, so that Σ exp(score) over those that are there is an estimate of the whole sum.
//
// The forward pass and the end-to-end measure are the caller's: Walk and
// Measure.
//
// # Stability
//
// The definitions of costs, KL and budgets are meant to stay, and so are the figures
// for one seed on one machine. Layer, Pair and Shape are the mathematics inside, and
// may change; package tune is the door for a whole job.
package retrofit
